import pytest

from digiscope_shared.lifecycle import CaptureEvent, CaptureState, IllegalStepError, step


def test_the_usual_way() -> None:
    state = CaptureState.ACCEPTED
    for event in (CaptureEvent.PART_SENT, CaptureEvent.STORED_RECEIVED, CaptureEvent.RESULT_RECEIVED):
        state = step(state, event)
    assert state is CaptureState.ANSWERED


@pytest.mark.parametrize("event", sorted(CaptureEvent))
@pytest.mark.parametrize("state", sorted(CaptureState))
def test_repeats_change_nothing_more(state: CaptureState, event: CaptureEvent) -> None:
    try:
        once = step(state, event)
    except IllegalStepError:
        return
    assert step(once, event) is once


def test_custody_never_goes_back() -> None:
    order = [CaptureState.ACCEPTED, CaptureState.SENDING, CaptureState.STORED, CaptureState.ANSWERED]
    for before in order:
        for event in CaptureEvent:
            try:
                after = step(before, event)
            except IllegalStepError:
                continue
            assert after is CaptureState.REJECTED or order.index(after) >= order.index(before)


def test_a_rejected_capture_is_stored_where_the_cloud_was_mended_and_it_was_replayed() -> None:
    assert step(CaptureState.REJECTED, CaptureEvent.STORED_RECEIVED) is CaptureState.STORED
    assert step(CaptureState.REJECTED, CaptureEvent.RESULT_RECEIVED) is CaptureState.ANSWERED


def test_what_the_cloud_holds_it_does_not_refuse_any_more() -> None:
    with pytest.raises(IllegalStepError, match="rejected-received"):
        step(CaptureState.STORED, CaptureEvent.REJECTED_RECEIVED)
