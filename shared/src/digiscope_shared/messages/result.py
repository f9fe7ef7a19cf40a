"""What the worker found, as it crosses `results` on both transports and lies in Cloud Storage."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from digiscope_shared.errors import Reason
from digiscope_shared.lesions import DISCLAIMER, LesionClass


class Triage(StrEnum):
    """What to do next with the patient or the picture; never what the patient has."""

    REFER = "refer"
    REVIEW = "review"
    ROUTINE = "routine"
    RETAKE = "retake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an image could not be judged. It answers the capture: the triage is then `retake`."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisResult:
    """One model's answer to one capture; (capture_id, model_digest) is its key and its object name."""

    SCHEMA: ClassVar[str] = "digiscope.result/1"

    capture_id: str
    device_id: str
    image_sha256: str
    model_digest: str
    model_id: str
    triage: Triage
    analysed_at: str
    traceparent: str
    prediction: LesionClass | None = None
    probabilities: dict[LesionClass, float] = field(default_factory=dict)
    malignant_probability: float | None = None
    refusal: Refusal | None = None
    # Stage name to that stage's findings, JSON values; `docs/messages.md` lists them.
    findings: dict[str, Any] = field(default_factory=dict)
    stage_ms: dict[str, float] = field(default_factory=dict)
    disclaimer: str = DISCLAIMER
