"""The system under drill: the whole of DigiScope on this machine, each device behind a link of its own."""

import json
import random
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import cv2
import msgspec

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.drill import false_clock, small_disk
from digiscope_cloud.drill.reconcile import SentCapture
from digiscope_cloud.drill.tcp_proxy import TcpProxy
from digiscope_cloud.local.account import read_journal
from digiscope_cloud.local.processes import AgentProcess, command_path
from digiscope_cloud.local.system import LocalSystem, SystemPlan
from digiscope_shared.imaging.phantoms import draw_phantom

# Short, so that a drill of minutes sees what a site sees in hours. The protocol is the same.
DRILL_CONFIG: Final = {"receipt_timeout_s": 3.0, "result_timeout_s": 6.0, "retry_cap_s": 15.0}
DISTINCT_IMAGES: Final = 24


@dataclass(slots=True, kw_only=True)
class Device:
    """One agent, the link that it sees the broker through, and the folder that its camera saves to."""

    device_id: str
    agent: AgentProcess
    link: TcpProxy
    folder: Path
    sent: int = 0
    # From the number of a capture on, the fault that it was sent under.
    eras: list[tuple[int, str]] = field(default_factory=list)

    def fault_of(self, sequence: int) -> str:
        return next(fault for start, fault in reversed(self.eras) if sequence >= start)


class Site:
    """Context manager; everything that it starts, it stops."""

    def __init__(self, run_dir: Path, *, devices: int, rng: random.Random) -> None:
        self.rng = rng
        self._run_dir = run_dir
        self._stack = ExitStack()
        self.system = LocalSystem(run_dir, SystemPlan(bridges=2, workers=1))
        self.pubsub_link = TcpProxy(self.system.pubsub.port, rng=rng)
        self.storage_link = TcpProxy(self.system.storage.port, rng=rng)
        self._put_links_before_the_cloud()
        self._names = [f"drill-{number}" for number in range(devices)]
        self.devices: list[Device] = []
        faketime = false_clock.library()
        self._false_clock = false_clock.FalseClock(run_dir / "clock", faketime) if faketime else None
        # Captures that no device of ours sent: they must end in the dead letters, not in the account.
        self.poison: set[str] = set()
        self._images = [_encoded(draw_phantom(rng.randrange(2**31))) for _ in range(DISTINCT_IMAGES)]

    def __enter__(self) -> Self:
        try:
            self._stack.enter_context(self.pubsub_link)
            self._stack.enter_context(self.storage_link)
            if small_disk.can_mount():
                self._stack.enter_context(small_disk.mounted(self._run_dir / self._names[0]))
            self._stack.enter_context(self.system)
            for name in self._names:
                self.devices.append(self._device(name))
            for device in self.devices:
                device.agent.start()
            self._set_config()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for device in self.devices:
            device.link.accept()
            device.link.flow()
        self._stack.close()

    @property
    def cramped_device(self) -> Device:
        """Return the device whose outbox has a small file system of its own, where we may mount one."""
        return self.devices[0]

    @property
    def false_clock(self) -> false_clock.FalseClock:
        """Return what steers the last device's clock."""
        assert self._false_clock is not None, "the timeline leaves out what this machine lacks"
        return self._false_clock

    def bucket(self) -> GcsObjectStore:
        """Return the bucket, looked at past every fault."""
        with self.system.google_environment():
            return self.system.bucket()

    def state_dir(self, device: Device) -> Path:
        return self._run_dir / device.device_id

    @staticmethod
    def attributes_of(body: bytes) -> dict[str, str]:
        """Return what a record or result carried beside its body."""
        fields = msgspec.json.decode(body)
        return {name: fields[name] for name in ("schema", "device_id", "capture_id", "traceparent")}

    @contextmanager
    def without(self, link: TcpProxy, answer: bytes = b"") -> Iterator[None]:
        """Take a service away for as long as the block lasts."""
        link.refuse(answer)
        try:
            yield
        finally:
            link.accept()

    def send(self, device: Device, fault: str) -> None:
        """Save one more image where the device finds it; moved in at once, as a camera's driver does."""
        device.sent += 1
        if not device.eras or device.eras[-1][1] != fault:
            device.eras.append((device.sent, fault))
        name = f"{device.sent:06d}.jpg"
        waiting = device.folder.parent / f"{device.device_id}-{name}"
        waiting.write_bytes(self.rng.choice(self._images))
        waiting.rename(device.folder / name)

    def account(self, device: Device) -> list[SentCapture]:
        """Return what the device knows of its captures: its outbox, which outlives it, and its journal for times."""
        shown: dict[str, list[float]] = {}
        accepted: dict[str, float] = {}
        for line in read_journal(device.agent.journal_path):
            if line["event"] == "CaptureAnswered":
                shown.setdefault(line["capture_id"], []).append(line["at_s"])
            elif line["event"] == "CaptureAccepted":
                accepted[line["capture_id"]] = line["at_s"]
        return [
            self._capture(device, row, accepted, shown.get(row["capture_id"], [])) for row in self._outbox_rows(device)
        ]

    def held(self) -> int:
        """Return how many images the outboxes still hold."""
        return sum(row["image"] != "freed" for device in self.devices for row in self._outbox_rows(device))

    def unanswered(self, device: Device) -> int:
        """Return how many of the images that were saved for it its outbox has no answer to."""
        answered: int = sum(row["state"] == "answered" for row in self._outbox_rows(device))
        return device.sent - answered

    def _capture(
        self, device: Device, row: Mapping[str, Any], accepted: Mapping[str, float], shown: list[float]
    ) -> SentCapture:
        # A device that died between keeping an answer and showing it has it on its screen again when asked.
        kept = row["state"] == "answered"
        return SentCapture(
            device_id=device.device_id,
            capture_id=row["capture_id"],
            sequence=row["sequence"],
            fault=device.fault_of(row["sequence"]),
            accepted_s=accepted.get(row["capture_id"], shown[0] if shown else 0.0),
            answered_s=shown[0] if shown else None,
            answers_shown=max(len(shown), int(kept)) if kept else 0,
        )

    def _outbox_rows(self, device: Device) -> list[dict[str, Any]]:
        command = [command_path("digiscope-edge"), "--settings", str(self._run_dir / f"{device.device_id}.yaml")]
        listed = subprocess.run(  # noqa: S603 our own command
            [*command, "outbox", "list", "--all", "--json"], check=True, capture_output=True
        )
        return [msgspec.json.decode(line) for line in listed.stdout.splitlines()]

    def _device(self, name: str) -> Device:
        link = self._stack.enter_context(TcpProxy(self.system.mosquitto.ports.tls, rng=self.rng))
        folder = self._run_dir / f"{name}-folder"
        folder.mkdir()
        keeps_false_time = name == self._names[-1] and self._false_clock is not None
        agent = self.system.agent(
            name,
            port=link.port,
            environment=self.false_clock.environment if keeps_false_time else None,
            watched_folder=str(folder),
            outbox={"reserve_bytes": 0},
        )
        return Device(device_id=name, agent=agent, link=link, folder=folder)

    def _put_links_before_the_cloud(self) -> None:
        # The processes read this very mapping when they start.
        self.system.environment["PUBSUB_EMULATOR_HOST"] = f"127.0.0.1:{self.pubsub_link.port}"
        self.system.environment["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{self.storage_link.port}"

    def _set_config(self) -> None:
        settings = ["--settings", str(self._run_dir / "fleet.yaml")]
        changes = [f"{key}={json.dumps(value)}" for key, value in DRILL_CONFIG.items()]
        for device in self.devices:
            with self.system.google_environment():
                subprocess.run(  # noqa: S603 our own command
                    [command_path("digiscope-cloud"), "fleet", "config", "set", *settings, device.device_id, *changes],
                    check=True,
                    capture_output=True,
                )


def _encoded(image_bgr: Any) -> bytes:
    done, encoded = cv2.imencode(".jpg", image_bgr)
    assert done
    return bytes(encoded)


def wait_until_settled(site: Site, *, deadline_s: float, poll_s: float = 3.0) -> float | None:
    """Return the seconds until every saved image was answered; None where the deadline came first."""
    began_s = time.monotonic()
    while any(site.unanswered(device) for device in site.devices) or site.held():
        if time.monotonic() - began_s > deadline_s:
            return None
        time.sleep(poll_s)
    return time.monotonic() - began_s
