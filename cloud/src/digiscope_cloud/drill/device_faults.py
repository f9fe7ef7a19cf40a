"""What befalls one device: power, disk, clock."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from digiscope_cloud.drill import hostile, small_disk
from digiscope_cloud.drill.site import Site


@contextmanager
def power_loss(site: Site) -> Iterator[None]:
    """Kill an agent, leave the half-written files of a power cut behind, and start it again."""
    device = site.rng.choice(site.devices)
    device.agent.kill()
    hostile.leave_torn_files(site.state_dir(device), site.rng)
    try:
        yield
    finally:
        device.agent.start()


@contextmanager
def disk_full(site: Site) -> Iterator[None]:
    """Not one byte free under the outbox; its agent runs on."""
    with small_disk.full(site.state_dir(site.cramped_device)):
        yield


@contextmanager
def disk_read_only(site: Site) -> Iterator[None]:
    """The outbox's file system comes back read-only after a power cut, and later writable again."""
    agent = site.cramped_device.agent
    agent.kill()
    try:
        with small_disk.read_only(site.state_dir(site.cramped_device)):
            agent.spawn()
            yield
            agent.kill()
    finally:
        agent.kill()
        agent.start()


def clock_shows(moment: str) -> Callable[[Site], AbstractContextManager[None]]:
    @contextmanager
    def strike(site: Site) -> Iterator[None]:
        with site.false_clock.shows(moment):
            yield

    return strike
