"""What this device knows of one capture, from its outbox row and the journal's lines. Pure."""

from collections.abc import Iterable
from typing import Any, Final

from digiscope_edge.captures import HeldCapture, ImageState
from digiscope_shared.capture_trace import in_order
from digiscope_shared.lifecycle import CaptureState
from digiscope_shared.messages import AnalysisResult, StepName, TraceStep

_WHERE: Final = "device"
_STEP_OF_EVENT: Final = {
    "CaptureProgressed": StepName.SENT,
    "CaptureStored": StepName.RECEIPT,
    "CaptureRejected": StepName.REJECTED,
    "CaptureAnswered": StepName.SHOWN,
}
_PROVEN_BY_STATE: Final = {
    CaptureState.ACCEPTED: (),
    CaptureState.SENDING: (StepName.SENT,),
    CaptureState.REJECTED: (StepName.SENT, StepName.REJECTED),
    CaptureState.STORED: (StepName.SENT, StepName.RECEIPT),
    # An answer proves custody, too.
    CaptureState.ANSWERED: (StepName.SENT, StepName.RECEIPT, StepName.SHOWN),
}
_PROVEN_BY_IMAGE: Final = {
    ImageState.DISCARDED: StepName.DISCARDED,
    ImageState.DAMAGED: StepName.UNREADABLE,
    ImageState.MISSING: StepName.UNREADABLE,
}


def account_of(
    capture: HeldCapture, results: Iterable[AnalysisResult], events: Iterable[dict[str, Any]]
) -> list[TraceStep]:
    """Return the steps in order; the row proves them, the journal's lines about this capture say when."""
    # The last one counts: parts go up again after a cut, and a rejection may be mended.
    times = {
        _STEP_OF_EVENT[name]: event.get("at", "") for event in events if (name := event["event"]) in _STEP_OF_EVENT
    }
    details = {
        StepName.REJECTED: f"{capture.reason}: {capture.detail}",
        StepName.SHOWN: ", ".join(f"{result.triage} by {result.model_id}" for result in results),
    }
    proven = [*_PROVEN_BY_STATE[capture.state]]
    if capture.image in _PROVEN_BY_IMAGE:
        proven.append(_PROVEN_BY_IMAGE[capture.image])
    attributes = capture.attributes
    accepted = TraceStep(
        capture_id=capture.capture_id,
        where=_WHERE,
        name=StepName.ACCEPTED,
        at=attributes.captured_at,
        detail=f"#{attributes.sequence}, {attributes.image_bytes} bytes, image {capture.image}",
    )
    further = [
        TraceStep(
            capture_id=capture.capture_id,
            where=_WHERE,
            name=name,
            at=times.get(name, ""),
            detail=details.get(name, ""),
        )
        for name in proven
    ]
    return in_order([accepted, *further])
