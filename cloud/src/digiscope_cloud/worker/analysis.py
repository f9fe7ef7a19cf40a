"""From a capture record and the stages' findings to the result: pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.lesions import LesionClass
from digiscope_shared.messages import AnalysisResult, CaptureRecord, Refusal, Triage
from digiscope_shared.traceparent import child_of
from digiscope_shared.triage import OperatingPoints, decide, malignant_probability


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """What a result says about the model behind it."""

    digest: str
    model_id: str
    operating_points: OperatingPoints


def answered(
    record: CaptureRecord,
    model: ServedModel,
    probabilities: Mapping[LesionClass, float],
    *,
    findings: dict[str, Any],
    stage_ms: dict[str, float],
    analysed_at: str,
) -> AnalysisResult:
    """Return the result of an image that could be judged.

    Raises:
        PermanentError: `bad-bundle` where the model's output is no probability.
    """
    if not all(math.isfinite(value) for value in probabilities.values()):
        raise PermanentError(Reason.BAD_BUNDLE, f"model {model.model_id} answered with a number that isn't finite")
    return replace(
        _unjudged(record, model, analysed_at),
        triage=_triage(probabilities, model.operating_points, findings.get("vision", {})),
        prediction=max(probabilities, key=lambda lesion: probabilities[lesion]),
        probabilities=dict(probabilities),
        malignant_probability=malignant_probability(probabilities),
        findings=findings,
        stage_ms={stage: round(spent_ms, 3) for stage, spent_ms in stage_ms.items()},
    )


def _triage(probabilities: Mapping[LesionClass, float], points: OperatingPoints, vision: Mapping[str, Any]) -> Triage:
    """Let vision ask for another picture: of anything but a lesion always, of a poor one unless it is to be referred.

    A poor picture that looks malignant all the same must not wait for a better one.
    """
    if not vision.get("likeness", {}).get("is_lesion", True):
        return Triage.RETAKE
    triage = decide(probabilities, points)
    fit = vision.get("quality", {}).get("fit", True)
    return triage if fit or triage is Triage.REFER else Triage.RETAKE


def refused(record: CaptureRecord, model: ServedModel, error: PermanentError, *, analysed_at: str) -> AnalysisResult:
    """Return the result of an image that could not be judged: it answers the capture, with `retake`."""
    return replace(
        _unjudged(record, model, analysed_at), refusal=Refusal(reason=error.reason, detail=error.detail[:1000])
    )


def _unjudged(record: CaptureRecord, model: ServedModel, analysed_at: str) -> AnalysisResult:
    return AnalysisResult(
        capture_id=record.capture_id,
        device_id=record.device_id,
        image_sha256=record.image_sha256,
        model_digest=model.digest,
        model_id=model.model_id,
        triage=Triage.RETAKE,
        analysed_at=analysed_at,
        traceparent=child_of(record.traceparent),
    )
