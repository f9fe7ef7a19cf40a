"""Captures and results as the outbox gets them."""

from digiscope_edge.captures import CaptureDetails, NewCapture
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.messages import AnalysisResult, Triage


def new_capture(number: int, content: bytes | None = None) -> NewCapture:
    return NewCapture(
        capture_id=new_capture_id(1_700_000_000_000 + number),
        content=content if content is not None else f"image {number}".encode(),
        content_type="image/jpeg",
        captured_at="2026-01-01T00:00:00Z",
        boot_id="boot-1",
        accepted_at_s=1.0,
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        details=CaptureDetails(subject="S-1", age=61, sex="female"),
        quality={"sharpness": 0.5},
    )


def new_result(capture_id: str, model_digest: str = "d" * 64) -> AnalysisResult:
    return AnalysisResult(
        capture_id=capture_id,
        device_id="dev-1",
        image_sha256="0" * 64,
        model_digest=model_digest,
        model_id="model",
        triage=Triage.REVIEW,
        analysed_at="2026-01-01T00:00:01Z",
        traceparent="",
    )
