"""Which part of which capture goes up next: no socket, no clock, no file. Events in with `now_s`, actions out.

A capture is in this table until a receipt or a result settles it. Its parts are to send, in flight (handed over, not
yet acknowledged by the broker) or taken. When all are taken its receipt is due; when none comes in time, the last part
goes up again as a probe, and the bridge answers `stored` or `missing`. After a restart nobody knows what was taken, so
a capture that was being sent begins with that probe.

Delays grow with full jitter and are drawn on top of the timeout, so that a fleet's probes don't come together.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from digiscope_shared.backoff import Backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyPolicy:
    """How patient a device is, and how much of the cloud it may hold at once: one device's backlog delays no other's.

    `window_bytes`: handed over, not yet acknowledged. `unconfirmed_bytes`: images begun, without a receipt yet;
    `unconfirmed_captures`: those of them whose receipt isn't overdue, so that what gets none stops no other.
    """

    receipt_timeout_s: float = 15.0
    result_timeout_s: float = 60.0
    retry_cap_s: float = 600.0
    window_bytes: int = 1024 * 1024
    unconfirmed_bytes: int = 32 * 1024 * 1024
    unconfirmed_captures: int = 4
    # Results asked for within one result timeout: a backlog is answered in its turn, and asking costs the cloud too.
    asks_per_timeout: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPart:
    capture_id: str
    part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskResult:
    capture_id: str


Action: TypeAlias = SendPart | AskResult


@dataclass(slots=True, kw_only=True)
class _Transfer:
    image_bytes: int
    part_bytes: int
    backoff: Backoff
    to_send: set[int]
    in_flight: set[int] = field(default_factory=set)
    taken_at_s: dict[int, float] = field(default_factory=dict)
    receipt_due_s: float | None = None
    overdue: bool = False
    paused_until_s: float = float("-inf")

    @property
    def parts(self) -> int:
        return part_count(self.image_bytes, self.part_bytes)

    @property
    def begun(self) -> bool:
        return bool(self.in_flight or self.taken_at_s or self.receipt_due_s is not None)

    def size_of(self, part: int) -> int:
        return min(self.part_bytes, self.image_bytes - part * self.part_bytes)


@dataclass(slots=True, kw_only=True)
class _Wait:
    due_s: float
    backoff: Backoff


class Custody:
    """The device's half of the custody protocol. Call an event's method, then `due`."""

    def __init__(self, policy: CustodyPolicy, rng: random.Random | None = None) -> None:
        self.policy = policy
        self._rng = rng or random.Random()
        self._connected = False
        self._transfers: dict[str, _Transfer] = {}
        self._results: dict[str, _Wait] = {}
        self._next_ask_s = float("-inf")

    def accepted(self, capture_id: str, *, image_bytes: int, part_bytes: int, resumed: bool = False) -> None:
        """Begin a capture; `resumed` where an earlier run may have sent some of its parts. Keep sequence order."""
        if capture_id in self._transfers:
            return
        parts = part_count(image_bytes, part_bytes)
        first = {parts - 1} if resumed else set(range(parts))
        self._transfers[capture_id] = _Transfer(
            image_bytes=image_bytes,
            part_bytes=part_bytes,
            to_send=first,
            backoff=self._backoff(self.policy.receipt_timeout_s),
        )

    def link_up(self, now_s: float) -> None:
        """Go on. What the broker queued for us while we were away gets one timeout to arrive first."""
        self._connected = True
        for transfer in self._transfers.values():
            if transfer.receipt_due_s is not None:
                transfer.receipt_due_s = max(transfer.receipt_due_s, now_s + self.policy.receipt_timeout_s)
        for wait in self._results.values():
            wait.due_s = max(wait.due_s, now_s + self.policy.receipt_timeout_s)

    def link_down(self) -> None:
        """Stop. Parts in flight stay so: the uplink sends them again by itself until the broker has taken them."""
        self._connected = False

    def part_taken(self, capture_id: str, part: int, now_s: float) -> None:
        """The broker acknowledged it, which frees the window and nothing else."""
        transfer = self._transfers.get(capture_id)
        if transfer is None:
            return
        transfer.in_flight.discard(part)
        transfer.to_send.discard(part)
        transfer.taken_at_s[part] = now_s
        if not transfer.to_send and not transfer.in_flight:
            transfer.receipt_due_s = now_s + self.policy.receipt_timeout_s + transfer.backoff.next_delay_s()

    def part_failed(self, capture_id: str, part: int, now_s: float) -> None:
        """It could not be handed over, or the broker refused it: this capture pauses."""
        transfer = self._transfers.get(capture_id)
        if transfer is not None and part in transfer.in_flight:
            transfer.in_flight.discard(part)
            transfer.to_send.add(part)
            transfer.paused_until_s = now_s + transfer.backoff.next_delay_s()

    def parts_missing(self, capture_id: str, missing: Iterable[int], now_s: float) -> None:
        """Send them again, but for those on their way: in flight, or taken less than one timeout ago."""
        transfer = self._transfers.get(capture_id)
        if transfer is None:
            return
        recent_s = now_s - self.policy.receipt_timeout_s
        lost = {
            part
            for part in missing
            if 0 <= part < transfer.parts
            and part not in transfer.in_flight
            and transfer.taken_at_s.get(part, float("-inf")) <= recent_s
        }
        if lost:
            transfer.to_send |= lost
            transfer.receipt_due_s = None

    def stored(self, capture_id: str, now_s: float) -> None:
        """The cloud holds it; now its result is awaited."""
        self._transfers.pop(capture_id, None)
        if capture_id not in self._results:
            due_s = now_s + self.policy.result_timeout_s
            self._results[capture_id] = _Wait(due_s=due_s, backoff=self._backoff(self.policy.result_timeout_s))

    def settled(self, capture_id: str) -> None:
        """Answered, rejected or unreadable: nothing more to do."""
        self._transfers.pop(capture_id, None)
        self._results.pop(capture_id, None)

    def due(self, now_s: float) -> list[Action]:
        """Return what to do now, and note it as done."""
        if not self._connected:
            return []
        self._probe(now_s)
        return [*self._parts_to_send(now_s), *self._results_to_ask(now_s)]

    def next_due_s(self) -> float | None:
        """Return when `due` has to be called at the latest; None where only an event can bring work."""
        if not self._connected:
            return None
        transfers = self._transfers.values()
        receipts = (transfer.receipt_due_s for transfer in transfers if transfer.receipt_due_s is not None)
        pauses = (transfer.paused_until_s for transfer in transfers if transfer.to_send and not transfer.in_flight)
        results = (max(wait.due_s, self._next_ask_s) for wait in self._results.values())
        return min([*receipts, *(pause_s for pause_s in pauses if pause_s > 0), *results], default=None)

    def progress(self, capture_id: str) -> tuple[int, int] | None:
        """Return parts taken and parts in all; None where it isn't being sent."""
        transfer = self._transfers.get(capture_id)
        return (len(transfer.taken_at_s), transfer.parts) if transfer else None

    def __contains__(self, capture_id: str) -> bool:
        return capture_id in self._transfers or capture_id in self._results

    def _probe(self, now_s: float) -> None:
        for transfer in self._transfers.values():
            if transfer.receipt_due_s is not None and transfer.receipt_due_s <= now_s:
                transfer.receipt_due_s, transfer.overdue = None, True
                transfer.to_send.add(transfer.parts - 1)

    def _parts_to_send(self, now_s: float) -> list[Action]:
        actions: list[Action] = []
        room = self.policy.window_bytes - sum(t.size_of(part) for t in self._transfers.values() for part in t.in_flight)
        nothing_in_flight = not any(t.in_flight for t in self._transfers.values())
        for capture_id, transfer in self._transfers.items():
            if transfer.paused_until_s > now_s:
                continue
            if transfer.to_send and not transfer.begun and not self._may_begin(transfer.image_bytes):
                break
            for part in sorted(transfer.to_send):
                # A part larger than the whole window still goes, alone.
                if transfer.size_of(part) > room and not nothing_in_flight:
                    return actions
                room -= transfer.size_of(part)
                nothing_in_flight = False
                transfer.to_send.discard(part)
                transfer.in_flight.add(part)
                actions.append(SendPart(capture_id=capture_id, part=part))
        return actions

    def _may_begin(self, image_bytes: int) -> bool:
        begun = [transfer for transfer in self._transfers.values() if transfer.begun]
        waiting = sum(not transfer.overdue for transfer in begun)
        held_bytes = sum(transfer.image_bytes for transfer in begun)
        fits = held_bytes + image_bytes <= self.policy.unconfirmed_bytes
        return not begun or (fits and waiting < self.policy.unconfirmed_captures)

    def _results_to_ask(self, now_s: float) -> list[Action]:
        """Ask for the one that is due longest, if any, and for the next a while later."""
        due = [(wait.due_s, capture_id) for capture_id, wait in self._results.items() if wait.due_s <= now_s]
        if not due or now_s < self._next_ask_s:
            return []
        _, capture_id = min(due)
        wait = self._results[capture_id]
        wait.due_s = now_s + self.policy.result_timeout_s + wait.backoff.next_delay_s()
        self._next_ask_s = now_s + self.policy.result_timeout_s / self.policy.asks_per_timeout
        return [AskResult(capture_id=capture_id)]

    def _backoff(self, base_s: float) -> Backoff:
        return Backoff(base_s=base_s, cap_s=self.policy.retry_cap_s, rng=self._rng)


def part_count(image_bytes: int, part_bytes: int) -> int:
    return -(-image_bytes // part_bytes)
