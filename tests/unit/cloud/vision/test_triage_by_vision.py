from typing import Any

import pytest

from digiscope_cloud.worker.analysis import ServedModel, answered
from digiscope_shared.lesions import LesionClass
from digiscope_shared.messages import CaptureRecord, Triage
from digiscope_shared.traceparent import new_traceparent
from digiscope_shared.triage import OperatingPoints

RECORD = CaptureRecord(
    capture_id="0190a000-0000-7000-8000-000000000000",
    device_id="device-1",
    image_uri="gs://b/x",
    image_generation=1,
    image_sha256="0" * 64,
    image_bytes=1,
    content_type="image/jpeg",
    captured_at="",
    stored_at="",
    boot_id="",
    sequence=1,
    traceparent=new_traceparent(),
)
MODEL = ServedModel(digest="d", model_id="m", operating_points=OperatingPoints(review_from=0.2, refer_from=0.6))
LESION = {"likeness": {"is_lesion": True}, "quality": {"fit": True}}
POOR = {"likeness": {"is_lesion": True}, "quality": {"fit": False}}
CAT = {"likeness": {"is_lesion": False}, "quality": {"fit": True}}


@pytest.mark.parametrize(
    ("vision", "malignant", "triage"),
    [
        (LESION, 0.9, Triage.REFER),
        (LESION, 0.3, Triage.REVIEW),
        (LESION, 0.1, Triage.ROUTINE),
        (POOR, 0.9, Triage.REFER),
        (POOR, 0.3, Triage.RETAKE),
        (POOR, 0.1, Triage.RETAKE),
        (CAT, 0.9, Triage.RETAKE),
        (CAT, 0.1, Triage.RETAKE),
        ({}, 0.1, Triage.ROUTINE),
    ],
)
def test_vision_asks_for_another_picture(vision: dict[str, Any], malignant: float, triage: Triage) -> None:
    probabilities = {LesionClass.MEL: malignant, LesionClass.NV: 1 - malignant}
    result = answered(RECORD, MODEL, probabilities, findings={"vision": vision}, stage_ms={}, analysed_at="")
    assert result.triage == triage
    assert result.probabilities == probabilities
