"""Lifecycles as tables: a missing key is the illegal step.

capture, as its device sees it:

accepted ──► sending ──► stored ──► answered
                │  ▲        ▲
                │  │        └── (replayed from the dead letters)
                │  └─────────── (sent again until a receipt comes)
                └─────► rejected

accepted: in the outbox, nothing sent yet      stored: the cloud holds it, the image is freed
sending: at least one part was handed over     answered: its result was shown
rejected: the cloud refused it; the image stays until a person discards it, or mends the cloud and replays it from there
"""

from enum import StrEnum
from typing import Final

from digiscope_shared.errors import DigiScopeError


class CaptureState(StrEnum):
    ACCEPTED = "accepted"
    SENDING = "sending"
    STORED = "stored"
    ANSWERED = "answered"
    REJECTED = "rejected"


class CaptureEvent(StrEnum):
    """What moves a capture on: events, past tense."""

    PART_SENT = "part-sent"
    STORED_RECEIVED = "stored-received"
    REJECTED_RECEIVED = "rejected-received"
    RESULT_RECEIVED = "result-received"


class DeviceLifecycle(StrEnum):
    """An agent's own account of itself; the broker publishes `lost` for it, by its Will."""

    STARTING = "starting"
    READY = "ready"
    STOPPED = "stopped"
    LOST = "lost"


class IllegalStepError(DigiScopeError):
    """A bug of ours: this event can't happen in this state."""


_S, _E = CaptureState, CaptureEvent
STEPS: Final[dict[tuple[CaptureState, CaptureEvent], CaptureState]] = {
    (_S.ACCEPTED, _E.PART_SENT): _S.SENDING,
    (_S.SENDING, _E.PART_SENT): _S.SENDING,
    # A receipt can overtake our own note that the part went out, and may come again.
    (_S.ACCEPTED, _E.STORED_RECEIVED): _S.STORED,
    (_S.SENDING, _E.STORED_RECEIVED): _S.STORED,
    (_S.STORED, _E.STORED_RECEIVED): _S.STORED,
    (_S.ANSWERED, _E.STORED_RECEIVED): _S.ANSWERED,
    (_S.ACCEPTED, _E.REJECTED_RECEIVED): _S.REJECTED,
    (_S.SENDING, _E.REJECTED_RECEIVED): _S.REJECTED,
    (_S.REJECTED, _E.REJECTED_RECEIVED): _S.REJECTED,
    # A person mended what refused it, and replayed it from the dead letters.
    (_S.REJECTED, _E.STORED_RECEIVED): _S.STORED,
    (_S.REJECTED, _E.RESULT_RECEIVED): _S.ANSWERED,
    # The worker may be quicker than the receipt: an answer proves custody too.
    (_S.ACCEPTED, _E.RESULT_RECEIVED): _S.ANSWERED,
    (_S.SENDING, _E.RESULT_RECEIVED): _S.ANSWERED,
    (_S.STORED, _E.RESULT_RECEIVED): _S.ANSWERED,
    (_S.ANSWERED, _E.RESULT_RECEIVED): _S.ANSWERED,
    # A late part changes nothing.
    (_S.STORED, _E.PART_SENT): _S.STORED,
    (_S.ANSWERED, _E.PART_SENT): _S.ANSWERED,
    (_S.REJECTED, _E.PART_SENT): _S.REJECTED,
}


def step(state: CaptureState, event: CaptureEvent) -> CaptureState:
    """Return the next state.

    Raises:
        IllegalStepError: where the table has no such step.
    """
    try:
        return STEPS[state, event]
    except KeyError:
        raise IllegalStepError(f"{event} can't happen to a capture that is {state}") from None


HELD: Final = frozenset({CaptureState.ACCEPTED, CaptureState.SENDING, CaptureState.REJECTED})
UNSENT: Final = frozenset({CaptureState.ACCEPTED, CaptureState.SENDING})
