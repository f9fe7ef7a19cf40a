import pytest

from digiscope_shared.capture_trace import in_order, standing_of
from digiscope_shared.messages import StepName, TraceStep


def steps(*names: StepName) -> list[TraceStep]:
    return [TraceStep(capture_id="c", where="cloud", name=name) for name in names]


@pytest.mark.parametrize(
    ("names", "holder", "next_step"),
    [
        ((StepName.ACCEPTED,), "outbox", "first part"),
        ((StepName.ACCEPTED, StepName.SENT), "outbox", "bridge stores"),
        ((StepName.SENT, StepName.PARTS_STORED), "outbox", "missing"),
        ((StepName.PARTS_STORED, StepName.IMAGE_STORED), "outbox", "record"),
        ((StepName.PARTS_STORED, StepName.REFUSED), "outbox", "replays"),
        ((StepName.SENT, StepName.REJECTED), "outbox", "replays"),
        ((StepName.REJECTED, StepName.DISCARDED), "nobody", "nothing"),
        ((StepName.SENT, StepName.UNREADABLE), "nobody", "person"),
        ((StepName.SENT, StepName.RECEIPT), "the cloud", "result"),
        # Replayed: what was refused before doesn't count any more.
        ((StepName.REFUSED, StepName.REJECTED, StepName.IMAGE_STORED, StepName.RECORDED), "Cloud Storage", "analyses"),
        ((StepName.RECORDED, StepName.UNANALYSED), "dead letter", "replays"),
        ((StepName.RECORDED, StepName.UNANALYSED, StepName.ANALYSED), "result", "shows"),
        ((StepName.ANALYSED, StepName.UNDELIVERED), "dead letter", "replays"),
        ((StepName.RECORDED, StepName.ANALYSED, StepName.UNDELIVERED, StepName.SHOWN), "Cloud Storage", "nothing"),
    ],
)
def test_the_furthest_step_says_who_holds_it_and_what_comes_next(
    names: tuple[StepName, ...], holder: str, next_step: str
) -> None:
    standing = standing_of(steps(*names))
    assert holder in standing.holder
    assert next_step in standing.next_step


@pytest.mark.parametrize("name", StepName)
def test_every_step_but_the_overlay_has_a_standing(name: StepName) -> None:
    if name is not StepName.OVERLAY_STORED:
        assert standing_of(steps(name)).holder


def test_a_wrong_clock_changes_no_order() -> None:
    late = TraceStep(capture_id="c", where="device", name=StepName.ACCEPTED, at="2040-01-01")
    early = TraceStep(capture_id="c", where="cloud", name=StepName.RECORDED, at="2026-01-01")
    assert in_order([early, late]) == [late, early]
