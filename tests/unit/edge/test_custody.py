"""The custody core alone: what it sends, when, and that no order of faults loses a capture or stalls it."""

import random
from dataclasses import dataclass, field

import pytest

from digiscope_edge.custody import AskResult, Custody, CustodyPolicy, SendPart

POLICY = CustodyPolicy(
    receipt_timeout_s=10, result_timeout_s=60, retry_cap_s=100, window_bytes=1000, unconfirmed_bytes=5000
)


@pytest.fixture
def custody() -> Custody:
    return Custody(POLICY, random.Random(1))


def sent(custody: Custody, now_s: float = 0) -> list[tuple[str, int]]:
    return [(action.capture_id, action.part) for action in custody.due(now_s) if isinstance(action, SendPart)]


def take_all(custody: Custody, parts: list[tuple[str, int]], now_s: float = 0) -> None:
    for capture_id, part in parts:
        custody.part_taken(capture_id, part, now_s)


def test_nothing_goes_before_the_link_is_up(custody: Custody) -> None:
    custody.accepted("a", image_bytes=10, part_bytes=10)
    assert custody.due(0) == []
    custody.link_up(0)
    assert sent(custody) == [("a", 0)]
    assert sent(custody) == []


def test_the_window_bounds_bytes_in_flight(custody: Custody) -> None:
    custody.link_up(0)
    custody.accepted("a", image_bytes=2500, part_bytes=400)
    assert sent(custody) == [("a", 0), ("a", 1)]
    custody.part_taken("a", 0, 0)
    assert sent(custody) == [("a", 2)]


def test_a_part_larger_than_the_window_goes_alone(custody: Custody) -> None:
    custody.link_up(0)
    custody.accepted("a", image_bytes=4000, part_bytes=2000)
    assert sent(custody) == [("a", 0)]
    custody.part_taken("a", 0, 0)
    assert sent(custody) == [("a", 1)]


def test_unconfirmed_images_are_bounded_and_the_first_always_goes(custody: Custody) -> None:
    custody.link_up(0)
    for name in ("a", "b"):
        custody.accepted(name, image_bytes=9000, part_bytes=1000)
    for part in range(9):
        assert sent(custody) == [("a", part)]
        custody.part_taken("a", part, 0)
    assert sent(custody) == []
    custody.stored("a", 0)
    assert sent(custody) == [("b", 0)]


def test_few_captures_are_begun_at_once_and_what_gets_no_receipt_stops_no_other() -> None:
    custody = Custody(CustodyPolicy(unconfirmed_captures=2, receipt_timeout_s=10), random.Random(1))
    custody.link_up(0)
    for name in "abcd":
        custody.accepted(name, image_bytes=10, part_bytes=10)
    assert sent(custody) == [("a", 0), ("b", 0)]
    take_all(custody, [("a", 0), ("b", 0)])
    custody.stored("a", 1)
    assert sent(custody, 1) == [("c", 0)]
    due_s = custody.next_due_s()
    assert due_s is not None
    assert sent(custody, due_s) == [("b", 0), ("d", 0)]


def test_after_a_cut_only_what_was_not_handed_over_is_sent(custody: Custody) -> None:
    custody.link_up(0)
    custody.accepted("a", image_bytes=1500, part_bytes=500)
    assert sent(custody) == [("a", 0), ("a", 1)]
    custody.part_taken("a", 0, 0)
    custody.link_down()
    assert sent(custody) == []
    custody.link_up(5)
    assert sent(custody, 5) == [("a", 2)]


def test_no_receipt_means_a_probe_with_the_last_part_later_and_later(custody: Custody) -> None:
    custody.link_up(0)
    custody.accepted("a", image_bytes=900, part_bytes=300)
    take_all(custody, sent(custody))
    assert sent(custody, 9.9) == []
    due_s = custody.next_due_s()
    assert due_s is not None
    assert due_s >= 10
    assert sent(custody, due_s) == [("a", 2)]


def test_a_restart_begins_with_the_probe_and_sends_what_is_missing(custody: Custody) -> None:
    custody.link_up(0)
    custody.accepted("a", image_bytes=900, part_bytes=300, resumed=True)
    assert sent(custody) == [("a", 2)]
    custody.part_taken("a", 2, 0)
    custody.parts_missing("a", [1, 7, -1], 0)
    assert sent(custody) == [("a", 1)]


def test_missing_parts_on_their_way_are_not_sent_again(custody: Custody) -> None:
    custody.link_up(0)
    custody.accepted("a", image_bytes=900, part_bytes=300)
    parts = sent(custody)
    custody.part_taken("a", 0, 0)
    custody.parts_missing("a", [0, 1, 2], 1)
    assert sent(custody, 1) == []
    take_all(custody, parts[1:], 2)
    custody.parts_missing("a", [0, 1], 11)
    assert sent(custody, 11) == [("a", 0)]


def test_a_refused_part_pauses_its_capture_alone(custody: Custody) -> None:
    custody.link_up(0)
    custody.accepted("a", image_bytes=10, part_bytes=10)
    custody.accepted("b", image_bytes=10, part_bytes=10)
    assert sent(custody) == [("a", 0), ("b", 0)]
    custody.part_failed("a", 0, 0)
    assert sent(custody) == []
    due_s = custody.next_due_s()
    assert due_s is not None
    assert sent(custody, due_s) == [("a", 0)]


def test_a_result_that_does_not_come_is_asked_for(custody: Custody) -> None:
    custody.link_up(0)
    custody.stored("a", 0)
    assert custody.due(59) == []
    assert custody.due(60) == [AskResult(capture_id="a")]
    assert custody.due(61) == []
    custody.settled("a")
    assert custody.next_due_s() is None


def test_a_backlog_is_asked_for_one_by_one_the_longest_due_first() -> None:
    custody = Custody(CustodyPolicy(result_timeout_s=60, asks_per_timeout=10), random.Random(1))
    custody.link_up(0)
    for number, name in enumerate("abc"):
        custody.stored(name, number)
    assert custody.due(70) == [AskResult(capture_id="a")]
    assert custody.due(75) == []
    assert custody.next_due_s() == 76
    assert custody.due(76) == [AskResult(capture_id="b")]
    assert custody.due(82) == [AskResult(capture_id="c")]


def test_what_waited_in_the_broker_gets_time_to_arrive_after_a_long_cut(custody: Custody) -> None:
    custody.link_up(0)
    custody.accepted("a", image_bytes=10, part_bytes=10)
    take_all(custody, sent(custody))
    custody.link_down()
    custody.link_up(5000)
    assert sent(custody, 5001) == []
    assert sent(custody, 5010) == [("a", 0)]


@dataclass(slots=True)
class LossyCloud:
    """A broker that may lose what it acknowledged, and a bridge that keeps parts and answers as the real one does."""

    rng: random.Random
    loss: float
    parts: dict[str, set[int]] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)

    def receive(self, capture_id: str, part: int, count: int) -> tuple[str, list[int]] | None:
        """Return the receipt, unless it, or the part, was lost."""
        if self.rng.random() < self.loss:
            return None
        held = self.parts.setdefault(capture_id, set())
        repeated = part in held
        held.add(part)
        if len(held) == count:
            self.stored[capture_id] = self.stored.get(capture_id, 0) + (not repeated)
            receipt: tuple[str, list[int]] = ("stored", [])
        elif repeated or part == count - 1:
            receipt = ("missing", sorted(set(range(count)) - held))
        else:
            return None
        return None if self.rng.random() < self.loss else receipt


PART_BYTES = 300


@dataclass(slots=True)
class Simulation:
    """A device, its uplink (which keeps what it was handed over cuts) and a lossy cloud, in steps of random length."""

    rng: random.Random
    sizes: dict[str, int]
    cloud: LossyCloud
    custody: Custody
    waiting: set[str]
    now_s: float = 0.0
    connected: bool = False
    in_flight: list[SendPart] = field(default_factory=list)

    def step(self) -> None:
        self.now_s += self.rng.uniform(0, 5)
        if self.rng.random() < 0.1:
            self.switch_link()
        if self.rng.random() < 0.01:
            self.restart()
        self.in_flight += [action for action in self.custody.due(self.now_s) if isinstance(action, SendPart)]
        assert sum(map(self.bytes_of, self.in_flight)) <= POLICY.window_bytes
        while self.connected and self.in_flight and self.rng.random() < 0.8:
            self.deliver(self.in_flight.pop(self.rng.randrange(len(self.in_flight))))

    def bytes_of(self, action: SendPart) -> int:
        return min(PART_BYTES, self.sizes[action.capture_id] - action.part * PART_BYTES)

    def switch_link(self) -> None:
        self.connected = not self.connected
        if self.connected:
            self.custody.link_up(self.now_s)
        else:
            self.custody.link_down()

    def restart(self) -> None:
        """The agent dies: nothing but the outbox is remembered."""
        self.custody, self.in_flight, self.connected = Custody(POLICY, self.rng), [], False
        for name in sorted(self.waiting):
            self.custody.accepted(name, image_bytes=self.sizes[name], part_bytes=PART_BYTES, resumed=True)

    def deliver(self, action: SendPart) -> None:
        count = -(-self.sizes[action.capture_id] // PART_BYTES)
        receipt = self.cloud.receive(action.capture_id, action.part, count)
        self.custody.part_taken(action.capture_id, action.part, self.now_s)
        if receipt is None:
            return
        kind, missing = receipt
        if kind == "stored":
            self.custody.stored(action.capture_id, self.now_s)
            self.waiting.discard(action.capture_id)
        else:
            self.custody.parts_missing(action.capture_id, missing, self.now_s)


@pytest.mark.parametrize("seed", range(200))
def test_every_capture_ends_stored_once_whatever_is_lost(seed: int) -> None:
    rng = random.Random(seed)
    sizes = {f"c{number}": rng.randint(1, 3000) for number in range(12)}
    cloud = LossyCloud(rng, loss=rng.uniform(0, 0.5))
    simulation = Simulation(rng, sizes, cloud, Custody(POLICY, rng), set(sizes))
    for name, size in sizes.items():
        simulation.custody.accepted(name, image_bytes=size, part_bytes=PART_BYTES)
    for _ in range(20_000):
        if not simulation.waiting:
            break
        simulation.step()
    assert not simulation.waiting
    assert cloud.stored == dict.fromkeys(sizes, 1)
