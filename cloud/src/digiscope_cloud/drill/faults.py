"""The faults, one function each: what it does to a site, for as long as its block lasts."""

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from digiscope_cloud.drill import device_faults, false_clock, hostile, small_disk
from digiscope_cloud.drill.site import Device, Site
from digiscope_cloud.drill.tcp_proxy import TcpProxy
from digiscope_cloud.local.server_process import ServerProcess

UNAVAILABLE: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
# Longer than one and a half keepalives (15 s) and than Pub/Sub's shortest ack deadline (10 s).
HANG_S: Final = 25.0
AWAY_S: Final = 60.0
LINK_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`lasts_s` is how long it holds; a short drill divides it."""

    name: str
    summary: str
    lasts_s: float
    strike: Callable[[Site], AbstractContextManager[None]]
    # What this machine must have for it, and whether it has.
    needs: str = ""
    possible: Callable[[], bool] = lambda: True


@contextmanager
def _nothing(_site: Site) -> Iterator[None]:
    yield


def _killing(choose: Callable[[Site], ServerProcess]) -> Callable[[Site], AbstractContextManager[None]]:
    """SIGKILL, and a start at the block's end: what a supervisor does, only slower."""

    @contextmanager
    def strike(site: Site) -> Iterator[None]:
        victim = choose(site)
        victim.kill()
        try:
            yield
        finally:
            victim.start()

    return strike


def _hanging(choose: Callable[[Site], ServerProcess]) -> Callable[[Site], AbstractContextManager[None]]:
    @contextmanager
    def strike(site: Site) -> Iterator[None]:
        victim = choose(site)
        victim.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            victim.send_signal(signal.SIGCONT)

    return strike


def _on_links(
    begin: Callable[[TcpProxy], None], end: Callable[[TcpProxy], None]
) -> Callable[[Site], AbstractContextManager[None]]:
    @contextmanager
    def strike(site: Site) -> Iterator[None]:
        for device in site.devices:
            begin(device.link)
        try:
            yield
        finally:
            for device in site.devices:
                end(device.link)

    return strike


def _has_faketime() -> bool:
    return false_clock.library() is not None


def _an_agent(site: Site) -> ServerProcess:
    return _a_device(site).agent


def _a_device(site: Site) -> Device:
    return site.rng.choice(site.devices)


def _a_bridge(site: Site) -> ServerProcess:
    return site.rng.choice(site.system.bridges)


def _a_worker(site: Site) -> ServerProcess:
    return site.rng.choice(site.system.workers)


def _the_broker(site: Site) -> ServerProcess:
    return site.system.mosquitto


@contextmanager
def _pubsub_away(site: Site) -> Iterator[None]:
    with site.without(site.pubsub_link):
        yield


@contextmanager
def _storage_answers_503(site: Site) -> Iterator[None]:
    with site.without(site.storage_link, UNAVAILABLE):
        yield


@contextmanager
def _storage_resets(site: Site) -> Iterator[None]:
    with site.without(site.storage_link):
        yield


@contextmanager
def _everything_twice(site: Site) -> Iterator[None]:
    """Publish every uplink part again, out of order, and every record and result in Pub/Sub."""
    with ExitStack() as stack:
        stack.enter_context(hostile.repeat_parts(site))
        yield
        hostile.repeat_records_and_results(site)


@contextmanager
def _poison(site: Site) -> Iterator[None]:
    """Send messages that always fail, among the good ones."""
    hostile.send_poison(site)
    yield
    hostile.send_poison(site)


FAULTS: Final = (
    Fault(name="none", summary="nothing: the baseline", lasts_s=5, strike=_nothing),
    Fault(name="kill-agent", summary="SIGKILL of a device's agent", lasts_s=4, strike=_killing(_an_agent)),
    Fault(name="kill-bridge", summary="SIGKILL of a bridge replica", lasts_s=4, strike=_killing(_a_bridge)),
    Fault(name="kill-worker", summary="SIGKILL of the worker", lasts_s=4, strike=_killing(_a_worker)),
    Fault(name="kill-broker", summary="SIGKILL of the broker", lasts_s=4, strike=_killing(_the_broker)),
    Fault(name="hang-agent", summary="SIGSTOP of an agent", lasts_s=HANG_S, strike=_hanging(_an_agent)),
    Fault(name="hang-bridge", summary="SIGSTOP of a bridge replica", lasts_s=HANG_S, strike=_hanging(_a_bridge)),
    Fault(name="hang-worker", summary="SIGSTOP of the worker", lasts_s=HANG_S, strike=_hanging(_a_worker)),
    Fault(
        name="link-cut",
        summary="no connection gets through",
        lasts_s=LINK_S,
        strike=_on_links(TcpProxy.refuse, TcpProxy.accept),
    ),
    Fault(
        name="link-half-open",
        summary="connections stay, nothing gets through",
        lasts_s=HANG_S,
        strike=_on_links(TcpProxy.stall, TcpProxy.flow),
    ),
    Fault(
        name="link-slow",
        summary="200 ms more in each direction",
        lasts_s=LINK_S,
        strike=_on_links(lambda link: link.delay(0.2), lambda link: link.delay(0)),
    ),
    Fault(
        name="link-stumbling",
        summary="5 % of the chunks held back for 2 s",
        lasts_s=LINK_S,
        strike=_on_links(lambda link: link.stumble(0.05), lambda link: link.stumble(0)),
    ),
    Fault(
        name="link-thin",
        summary="32 kbit/s",
        lasts_s=LINK_S,
        strike=_on_links(lambda link: link.thin(32_000), lambda link: link.thin(None)),
    ),
    Fault(name="pubsub-away", summary="Pub/Sub can't be reached", lasts_s=AWAY_S, strike=_pubsub_away),
    Fault(name="storage-503", summary="Cloud Storage answers 503", lasts_s=LINK_S, strike=_storage_answers_503),
    Fault(name="storage-resets", summary="Cloud Storage resets connections", lasts_s=LINK_S, strike=_storage_resets),
    Fault(name="power-loss", summary="an agent dies and leaves torn files", lasts_s=4, strike=device_faults.power_loss),
    Fault(
        name="disk-full",
        summary="not one byte free under an outbox",
        lasts_s=10,
        strike=device_faults.disk_full,
        needs="root, to mount a small file system",
        possible=small_disk.can_mount,
    ),
    Fault(
        name="disk-read-only",
        summary="an outbox comes back read-only",
        lasts_s=10,
        strike=device_faults.disk_read_only,
        needs="root, to mount a small file system",
        possible=small_disk.can_mount,
    ),
    Fault(
        name="clock-1970",
        summary="a device's clock falls back to 1970",
        lasts_s=15,
        strike=device_faults.clock_shows("@1970-01-01 00:01:00"),
        needs="libfaketime: sudo apt-get install -y faketime",
        possible=_has_faketime,
    ),
    Fault(
        name="clock-2040",
        summary="a device's clock jumps to 2040",
        lasts_s=15,
        strike=device_faults.clock_shows("@2040-01-01 00:01:00"),
        needs="libfaketime: sudo apt-get install -y faketime",
        possible=_has_faketime,
    ),
    Fault(name="repeats", summary="every message twice, out of order", lasts_s=10, strike=_everything_twice),
    Fault(name="poison", summary="messages that always fail, among good ones", lasts_s=5, strike=_poison),
)


def named(names: list[str]) -> tuple[Fault, ...]:
    """Return the faults by name; KeyError for one that isn't there."""
    by_name = {fault.name: fault for fault in FAULTS}
    return tuple(by_name[name] for name in names)


def shuffled(rng: random.Random, faults: tuple[Fault, ...]) -> list[Fault]:
    """Return them in a random order, the baseline first."""
    rest = [fault for fault in faults if fault.name != "none"]
    rng.shuffle(rest)
    return [fault for fault in faults if fault.name == "none"] + rest
