"""The drill's arithmetic: what devices accepted, against what the bucket holds and what terminals showed."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCapture:
    """A capture as its device accounts for it. Times in seconds on the drill's clock."""

    device_id: str
    capture_id: str
    sequence: int
    fault: str
    accepted_s: float
    answered_s: float | None
    answers_shown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCapture:
    """A capture as the bucket holds it: `results` counts its result objects, whatever their model."""

    capture_id: str
    device_id: str
    sequence: int
    results: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultLine:
    """One line of the drill's table."""

    fault: str
    captures: int
    lost: int
    answered_twice: int
    unanswered: int
    longest_delay_s: float
    recovery_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A measured figure beside its bar."""

    name: str
    measured: str
    bar: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    lines: tuple[FaultLine, ...]
    sequence_gaps: Mapping[str, tuple[int, ...]]
    strangers: tuple[str, ...]
    held_by_devices: int
    checks: tuple[Check, ...] = ()

    @property
    def passed(self) -> bool:
        """0 lost, 0 answered twice, 0 unanswered, no gap, nothing that nobody sent, outboxes empty, each bar met."""
        faultless = all(line.lost == line.answered_twice == line.unanswered == 0 for line in self.lines)
        complete = not self.sequence_gaps and not self.strangers and self.held_by_devices == 0
        return faultless and complete and all(check.passed for check in self.checks)


def reconcile(
    sent: Collection[SentCapture],
    stored: Iterable[StoredCapture],
    *,
    recovery_s: Mapping[str, float],
    held_by_devices: int,
    checks: tuple[Check, ...] = (),
) -> Verdict:
    """Compare the three accounts; `recovery_s` is the time from a fault's end to its last answer."""
    by_id = {capture.capture_id: capture for capture in stored}
    by_fault: dict[str, list[SentCapture]] = defaultdict(list)
    for capture in sent:
        by_fault[capture.fault].append(capture)
    return Verdict(
        lines=tuple(_line(fault, captures, by_id, recovery_s.get(fault)) for fault, captures in by_fault.items()),
        sequence_gaps=_gaps(sent),
        strangers=tuple(sorted(by_id.keys() - {capture.capture_id for capture in sent})),
        held_by_devices=held_by_devices,
        checks=checks,
    )


def _line(
    fault: str, captures: list[SentCapture], stored: Mapping[str, StoredCapture], recovery_s: float | None
) -> FaultLine:
    delays = [capture.answered_s - capture.accepted_s for capture in captures if capture.answered_s is not None]
    return FaultLine(
        fault=fault,
        captures=len(captures),
        lost=sum(capture.capture_id not in stored for capture in captures),
        answered_twice=sum(_answers(capture, stored) > 1 for capture in captures),
        unanswered=sum(min(capture.answers_shown, _results(capture, stored)) < 1 for capture in captures),
        longest_delay_s=max(delays, default=0.0),
        recovery_s=recovery_s,
    )


def _results(capture: SentCapture, stored: Mapping[str, StoredCapture]) -> int:
    return stored[capture.capture_id].results if capture.capture_id in stored else 0


def _answers(capture: SentCapture, stored: Mapping[str, StoredCapture]) -> int:
    return max(capture.answers_shown, _results(capture, stored))


def _gaps(sent: Iterable[SentCapture]) -> dict[str, tuple[int, ...]]:
    sequences: dict[str, Counter[int]] = defaultdict(Counter)
    for capture in sent:
        sequences[capture.device_id][capture.sequence] += 1
    gaps = {
        device_id: tuple(number for number in range(1, max(counted) + 1) if counted[number] != 1)
        for device_id, counted in sequences.items()
    }
    return {device_id: numbers for device_id, numbers in gaps.items() if numbers}
