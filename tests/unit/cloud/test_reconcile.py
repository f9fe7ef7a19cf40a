from dataclasses import replace

import pytest

from digiscope_cloud.drill.reconcile import SentCapture, StoredCapture, Verdict, reconcile

SENT = tuple(
    SentCapture(
        device_id="a",
        capture_id=f"c{number}",
        sequence=number,
        fault="cut" if number < 3 else "kill",
        accepted_s=number,
        answered_s=number + 2.0,
        answers_shown=1,
    )
    for number in (1, 2, 3)
)
STORED = tuple(
    StoredCapture(capture_id=capture.capture_id, device_id="a", sequence=capture.sequence, results=1)
    for capture in SENT
)


def judged(sent: tuple[SentCapture, ...] = SENT, stored: tuple[StoredCapture, ...] = STORED, held: int = 0) -> Verdict:
    return reconcile(sent, stored, recovery_s={"cut": 1.5}, held_by_devices=held)


def test_a_faultless_run_passes() -> None:
    verdict = judged()
    assert verdict.passed
    assert [(line.fault, line.captures, line.longest_delay_s, line.recovery_s) for line in verdict.lines] == [
        ("cut", 2, 2.0, 1.5),
        ("kill", 1, 2.0, None),
    ]


def test_a_capture_that_the_bucket_lacks_is_lost() -> None:
    verdict = judged(stored=STORED[1:])
    assert not verdict.passed
    assert [line.lost for line in verdict.lines] == [1, 0]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ((replace(SENT[0], answers_shown=2), *SENT[1:]), STORED),
        (SENT, (replace(STORED[0], results=2), *STORED[1:])),
    ],
)
def test_two_answers_are_one_too_many(sent: tuple[SentCapture, ...], stored: tuple[StoredCapture, ...]) -> None:
    verdict = judged(sent, stored)
    assert not verdict.passed
    assert sum(line.answered_twice for line in verdict.lines) == 1


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ((replace(SENT[0], answers_shown=0, answered_s=None), *SENT[1:]), STORED),
        (SENT, (replace(STORED[0], results=0), *STORED[1:])),
    ],
)
def test_a_result_must_be_written_and_shown(sent: tuple[SentCapture, ...], stored: tuple[StoredCapture, ...]) -> None:
    verdict = judged(sent, stored)
    assert not verdict.passed
    assert sum(line.unanswered for line in verdict.lines) == 1


def test_a_gap_in_the_sequence_is_a_proven_loss() -> None:
    assert judged((SENT[0], SENT[2]), (STORED[0], STORED[2])).sequence_gaps == {"a": (2,)}


def test_a_capture_that_nobody_sent_fails_the_drill() -> None:
    assert judged(SENT[:2]).strangers == ("c3",)


def test_an_outbox_that_still_holds_something_fails_the_drill() -> None:
    assert not judged(held=1).passed
