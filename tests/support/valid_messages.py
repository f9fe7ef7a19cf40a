"""The fields of one message of each type, all of which decode."""

from typing import Any

from digiscope_shared.messages import (
    AnalysisResult,
    CaptureAttributes,
    CaptureRecord,
    DesiredConfig,
    DeviceState,
    Receipt,
    ResultRequest,
    TelemetryReading,
)

CAPTURE_ID = "018bcfe5-6800-790b-aa05-1cd1e68346bb"
CAPTURE = {
    "capture_id": CAPTURE_ID,
    "image_sha256": "ab" * 32,
    "image_bytes": 300_000,
    "content_type": "image/jpeg",
    "captured_at": "2026-01-01T00:00:00Z",
    "boot_id": "b1",
    "sequence": 7,
    "traceparent": "",
    "quality": {"sharpness": 41.5},
    "prescreen": {"model_digest": "d", "probabilities": {"nv": 1.0}, "triage": "routine"},
}
# One that decodes, of each type: what is drawn goes over some of its fields.
VALID: dict[Any, dict[str, Any]] = {
    AnalysisResult: {
        "capture_id": CAPTURE_ID,
        "device_id": "a",
        "image_sha256": "ab" * 32,
        "model_digest": "d",
        "model_id": "m",
        "triage": "refer",
        "analysed_at": "",
        "traceparent": "",
    },
    CaptureAttributes: CAPTURE | {"part": 0, "parts": 2},
    CaptureRecord: CAPTURE | {"device_id": "a", "image_uri": "gs://b/c", "image_generation": 1, "stored_at": ""},
    DesiredConfig: {"version": 1, "config": {"a": [1]}},
    DeviceState: {"lifecycle": "ready", "boot_id": "b1", "camera": {"state": "ok"}},
    Receipt: {"capture_id": CAPTURE_ID, "kind": "missing", "missing_parts": [0, 1]},
    ResultRequest: {"capture_id": CAPTURE_ID},
    TelemetryReading: {"subject": "p", "metric": "heart-rate", "value": 72.0, "unit": "/min", "measured_at": ""},
}
