"""Two accounts of one run, the device's journal and the bucket, laid side by side. Pure but for reading them."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from digiscope_cloud.drill.reconcile import SentCapture, StoredCapture, Verdict, reconcile
from digiscope_cloud.ports import ObjectStore
from digiscope_shared.codec import decode_json
from digiscope_shared.messages import CaptureRecord
from digiscope_shared.object_names import CAPTURES

JournalLine = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One run in numbers; latency in seconds, from the capture to its result on the terminal."""

    captured: int
    refused: int
    stored: int
    answered: int
    lost: int
    answered_twice: int
    held_by_device: int
    latency_median_s: float
    latency_p99_s: float
    passed: bool


def read_journal(path: Path) -> list[JournalLine]:
    """Return the events of a journal that may still be written: a line without its end is left for the next time."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def read_bucket(store: ObjectStore) -> list[StoredCapture]:
    """Return what the bucket holds: a capture is stored where its record is."""
    results: Counter[str] = Counter()
    records = []
    for found in store.list(CAPTURES):
        capture_id, _, rest = found.name.removeprefix(CAPTURES).partition("/")
        results[capture_id] += rest.startswith("results/")
        if rest == "capture.json":
            records.append(decode_json(CaptureRecord, store.read(found.name)[0]))
    return [
        StoredCapture(
            capture_id=record.capture_id,
            device_id=record.device_id,
            sequence=record.sequence,
            results=results[record.capture_id],
        )
        for record in records
    ]


def sent_captures(device_id: str, journal: Iterable[JournalLine]) -> list[SentCapture]:
    """Return the device's account of each capture."""
    of: Mapping[str, list[JournalLine]] = _by_event(journal)
    answers: dict[str, list[float]] = defaultdict(list)
    for line in of["CaptureAnswered"]:
        answers[line["capture_id"]].append(line["at_s"])
    return [
        SentCapture(
            device_id=device_id,
            capture_id=line["capture_id"],
            sequence=line["sequence"],
            fault="",
            accepted_s=line["at_s"],
            answered_s=min(answers[line["capture_id"]], default=None),
            answers_shown=len(answers[line["capture_id"]]),
        )
        for line in of["CaptureAccepted"]
    ]


def settle(device_id: str, journal: Sequence[JournalLine], stored: Sequence[StoredCapture]) -> Account:
    """Lay both accounts side by side; passed only where every capture has exactly one result in both."""
    of = _by_event(journal)
    sent = sent_captures(device_id, journal)
    held = of["OutboxChanged"][-1]["captures"] if of["OutboxChanged"] else 0
    verdict = reconcile(sent, stored, recovery_s={}, held_by_devices=held)
    latencies = sorted(line["latency_s"] for line in of["CaptureAnswered"])
    return Account(
        captured=len(sent),
        refused=len(of["CaptureRefused"]),
        stored=len(stored),
        answered=sum(capture.answers_shown > 0 for capture in sent),
        lost=_sum(verdict, "lost"),
        answered_twice=_sum(verdict, "answered_twice"),
        held_by_device=held,
        latency_median_s=percentile(latencies, 0.5),
        latency_p99_s=percentile(latencies, 0.99),
        passed=verdict.passed and bool(sent),
    )


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; NaN of nothing."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)] if ascending else math.nan


def _sum(verdict: Verdict, name: str) -> int:
    return sum(getattr(line, name) for line in verdict.lines)


def _by_event(journal: Iterable[JournalLine]) -> defaultdict[str, list[JournalLine]]:
    lines: defaultdict[str, list[JournalLine]] = defaultdict(list)
    for line in journal:
        lines[line["event"]].append(line)
    return lines
