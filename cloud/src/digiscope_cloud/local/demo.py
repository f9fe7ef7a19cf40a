"""`digiscope-cloud local demo`: images through the whole chain, and two accounts of what became of them."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from digiscope_cloud.local import demo_report, images
from digiscope_cloud.local.account import Account, JournalLine, read_bucket, read_journal, settle
from digiscope_cloud.local.system import LocalSystem

DEVICE_ID: Final = "demo-clinic"
# Beyond its own deadline, to start and to end.
GRACE_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOrder:
    """What to send, and how long to wait for all of it."""

    run_dir: Path
    count: int = 24
    folder: Path | None = None
    samples: Path | None = None
    timeout_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOutcome:
    account: Account
    journal: list[JournalLine]
    took_s: float


def run(order: DemoOrder, console: Console) -> DemoOutcome:
    """Start everything, send, wait, stop everything; the accounts are taken before the bucket is gone.

    Raises:
        SettingsError: a part is missing, or the folder has no images.
        ServerNotReadyError: a part did not start.
    """
    began_s = time.monotonic()
    image_set = images.gather(order.count, into=order.run_dir / "images", folder=order.folder, samples=order.samples)
    console.print(f"Images: {image_set.origin}.")
    console.print(
        "Starting Mosquitto, the Pub/Sub emulator, the storage emulator, 2 bridges, a worker, the fleet service."
    )
    with LocalSystem(order.run_dir) as system:
        console.print(f"Started in {time.monotonic() - began_s:.1f} s. The agent sends {len(image_set.paths)} images.")
        agent = system.agent(DEVICE_ID, foreground=True, files=image_set.paths, deadline_s=order.timeout_s)
        agent.spawn()
        # Its exit code is not asked: the two accounts tell more.
        if not agent.wait_ended(order.timeout_s + GRACE_S):
            agent.kill()
        journal = read_journal(agent.journal_path)
        account = settle(DEVICE_ID, journal, read_bucket(system.bucket()))
    return DemoOutcome(account=account, journal=journal, took_s=time.monotonic() - began_s)


def report(outcome: DemoOutcome, console: Console) -> None:
    demo_report.show_captures(outcome.journal, console)
    demo_report.show_account(outcome.account, outcome.took_s, console)
