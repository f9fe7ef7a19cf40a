"""One drill: every fault in turn, captures sent while it holds, and the account at the end."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from digiscope_cloud.drill.faults import Fault
from digiscope_cloud.drill.measures import MEASURES
from digiscope_cloud.drill.reconcile import SentCapture, Verdict, reconcile
from digiscope_cloud.drill.site import Site, wait_until_settled
from digiscope_cloud.local.account import read_bucket

SETTLE_DEADLINE_S: Final = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillOrder:
    """`captures` over all devices and faults; `hurry` divides how long each holds; `pressing`: no pause in between."""

    seed: int
    captures: int
    faults: Sequence[Fault]
    measures: Sequence[str] = ()
    hurry: float = 1.0
    pressing: bool = False


def run(site: Site, order: DrillOrder, on_step: Callable[[str], None]) -> Verdict:
    """Run the timeline and judge it: measures first, on a whole system.

    The Pub/Sub emulator (0.8.20) deals messages to the streams of killed processes for ever, and each costs a lease:
    after such faults it is the emulator that would be measured.
    """
    checks = []
    for name in order.measures:
        on_step(f"{name}: measured")
        checks.append(MEASURES[name](site))
    ended_s: dict[str, float] = {}
    share = -(-order.captures // len(order.faults))
    for fault in order.faults:
        on_step(f"{fault.name}: {fault.summary}")
        with fault.strike(site):
            _send_during(site, fault.name, share, fault.lasts_s / order.hurry)
        ended_s[fault.name] = time.monotonic()
        if not order.pressing:
            _settle(site, fault.name, on_step)
    _settle(site, "at the end", on_step)
    sent = [capture for device in site.devices for capture in site.account(device)]
    stored = [capture for capture in read_bucket(site.bucket()) if capture.capture_id not in site.poison]
    recovery_s = _recovery_s(sent, ended_s)
    return reconcile(sent, stored, recovery_s=recovery_s, held_by_devices=site.held(), checks=tuple(checks))


def _settle(site: Site, after: str, on_step: Callable[[str], None]) -> None:
    if wait_until_settled(site, deadline_s=SETTLE_DEADLINE_S) is None:
        on_step(f"{after}: not settled within {SETTLE_DEADLINE_S:g} s")


def _send_during(site: Site, fault: str, captures: int, lasts_s: float) -> None:
    """Spread the captures at random over the fault's time and the devices."""
    began_s = time.monotonic()
    for at_s in sorted(site.rng.uniform(0, lasts_s) for _ in range(captures)):
        _wait_until(began_s + at_s)
        site.send(site.rng.choice(site.devices), fault)
    _wait_until(began_s + lasts_s)


def _wait_until(at_s: float) -> None:
    time.sleep(max(0.0, at_s - time.monotonic()))


def _recovery_s(sent: Sequence[SentCapture], ended_s: dict[str, float]) -> dict[str, float]:
    last: dict[str, float] = {}
    for capture in sent:
        if capture.answered_s is not None:
            last[capture.fault] = max(last.get(capture.fault, 0.0), capture.answered_s)
    return {fault: max(0.0, last[fault] - end_s) for fault, end_s in ended_s.items() if fault in last}


def new_seed() -> int:
    return random.SystemRandom().randrange(2**31)
