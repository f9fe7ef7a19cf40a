"""The composition root: settings in, a running agent out. Adapters are named here and nowhere else."""

import queue
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from typing import Final

import structlog

from digiscope_edge import inbox
from digiscope_edge.adapters.image_cipher import find_cipher
from digiscope_edge.adapters.litert_prescreen import LiteRtPrescreen
from digiscope_edge.adapters.paho_uplink import PahoUplink
from digiscope_edge.adapters.service_manager import ServiceManager
from digiscope_edge.adapters.sqlite_outbox import SqliteOutbox
from digiscope_edge.adapters.state_dir_lock import StateDirLock
from digiscope_edge.adapters.telemetry_file import TelemetryFile
from digiscope_edge.adapters.watched_folder import FolderOutcome, WatchedFolder
from digiscope_edge.agent import Agent
from digiscope_edge.camera_bootstrap import camera_loop
from digiscope_edge.camera_loop import CameraLoop
from digiscope_edge.captures import HeldCapture
from digiscope_edge.config_sync import ConfigSync
from digiscope_edge.custody import Custody
from digiscope_edge.events import CaptureRefused
from digiscope_edge.intake import OUTBOX_FULL, DeviceClocks, Intake
from digiscope_edge.ports import Classifier, Display, SourceImage
from digiscope_edge.sender import Sender
from digiscope_edge.settings import AgentSettings
from digiscope_edge.state_report import StateReport, StatusFile, will_of
from digiscope_edge.telemetry_pump import TelemetryPump
from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages import CameraHealth, DeviceState
from digiscope_shared.model_bundle import read_manifest
from digiscope_shared.signing import TrustedKeys, load_trusted_keys, verify_config, verify_manifest

log = structlog.get_logger()

STATUS_FILE: Final = "status.json"
CAPTURE_ASKED: Final = "capture_asked"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def device_clocks() -> DeviceClocks:
    """Return the machine's clocks; CLOCK_MONOTONIC counts from the boot, so it is one for all our processes."""
    boot_id = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else str(uuid.uuid4())
    return DeviceClocks(
        unix_ms=lambda: time.time_ns() // 1_000_000,
        now_text=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"),
        monotonic_s=time.monotonic,
        boot_id=boot_id,
    )


def open_outbox(settings: AgentSettings) -> SqliteOutbox:
    outbox = settings.outbox
    return SqliteOutbox(
        Path(settings.state_dir),
        limit_bytes=outbox.limit_bytes,
        reserve_bytes=outbox.reserve_bytes,
        history=outbox.history,
        cipher=find_cipher(outbox.key_command),
    )


def load_classifier(settings: AgentSettings) -> Classifier | None:
    """Return the prescreen; None, and a line that says so, where no bundle was named and none came with the agent.

    Raises:
        PermanentError: `bad-bundle`, `bad-signature` where the named one isn't signed by the device's fleet.
    """
    if settings.bundle_dir:
        if settings.trusted_keys_file:
            verify_manifest(
                load_trusted_keys(Path(settings.trusted_keys_file)), read_manifest(Path(settings.bundle_dir))
            )
        return LiteRtPrescreen(Path(settings.bundle_dir))
    with resources.as_file(resources.files("digiscope_edge") / "bundles" / "prescreen") as bundle_dir:
        if bundle_dir.is_dir():
            return LiteRtPrescreen(bundle_dir)
    log.warning("prescreen_absent", hint="no model bundle: captures are sent without a preliminary result")
    return None


def fleet_keys(settings: AgentSettings) -> TrustedKeys | None:
    """Return the keys of the device's fleet; None, and a line that says so, where it belongs to none."""
    if settings.trusted_keys_file:
        return load_trusted_keys(Path(settings.trusted_keys_file))
    log.warning("fleet_unknown", hint="no trusted_keys_file: every config is obeyed; for local systems alone")
    return None


def _config_checker(settings: AgentSettings) -> Callable[[bytes], None]:
    keys = fleet_keys(settings)
    return lambda body: verify_config(keys, settings.device_id, body) if keys is not None else None


def build_intake(settings: AgentSettings, outbox: SqliteOutbox) -> Intake:
    """Return the intake of a process without an agent."""
    config_sync = ConfigSync(outbox.config())
    return Intake(
        outbox=outbox,
        classifier=load_classifier(settings),
        config=lambda: config_sync.config,
        clocks=device_clocks(),
        frame_width_mm=settings.frame_width_mm,
    )


@dataclass(slots=True, kw_only=True)
class RunningDevice:
    """An agent and what feeds it. `post` reaches the agent from any thread."""

    agent: Agent
    intake: Intake
    post: Callable[[inbox.Item], None]
    camera: CameraLoop | None
    folder: WatchedFolder | None
    services: ServiceManager

    def start_sources(self) -> None:
        for source in (self.camera, self.folder):
            if source is not None:
                source.start()

    def stop_sources(self) -> bool:
        """Return False where a camera's driver hangs: Python's own shutdown would abort then, see `CameraLoop.stop`."""
        if self.folder is not None:
            self.folder.stop()
        return self.camera is None or self.camera.stop()


def build(
    settings: AgentSettings,
    outbox: SqliteOutbox,
    *,
    make_display: Callable[[], Display],
    classifier: Classifier | None,
) -> RunningDevice:
    """Wire everything; nothing runs yet. The caller holds the state directory's lock."""
    clocks, services = device_clocks(), ServiceManager()
    items: queue.SimpleQueue[inbox.Item] = queue.SimpleQueue()
    post = items.put
    config_sync = ConfigSync(outbox.config())
    device_id = settings.device_id
    mqtt = settings.mqtt if settings.mqtt.username else replace(settings.mqtt, username=device_id)
    uplink = PahoUplink(
        mqtt, device_id=device_id, will=will_of(device_id, clocks.boot_id), on_downlink=post, on_link=post
    )
    intake = Intake(
        outbox=outbox,
        classifier=classifier,
        config=lambda: config_sync.config,
        clocks=clocks,
        frame_width_mm=settings.frame_width_mm,
        on_accepted=lambda: post(inbox.OutboxGrew()),
    )
    camera = _camera(settings, intake, post)
    custody = Custody(config_sync.config.custody_policy)
    display = make_display()
    sender = Sender(
        device_id,
        outbox=outbox,
        uplink=uplink,
        custody=custody,
        boot_id=clocks.boot_id,
        show=lambda event: agent.show(event),  # noqa: PLW0108 (the agent is built below)
        post=post,
        clock=clocks.monotonic_s,
    )
    agent = Agent(
        device_id,
        outbox=outbox,
        uplink=uplink,
        sender=sender,
        custody=custody,
        config_sync=config_sync,
        check_config=_config_checker(settings),
        report=StateReport(device_id, uplink=uplink, now_text=clocks.now_text),
        status_file=StatusFile(Path(settings.state_dir) / STATUS_FILE),
        pump=TelemetryPump(device_id, outbox=outbox, uplink=uplink, post=post),
        display=display,
        items=items,
        source_of=lambda capture_id: intake.sources.pop(capture_id, "held"),
        on_turn=_on_turn(settings, outbox, uplink, services, clocks, switch_steady=_steady_switch(camera, config_sync)),
        on_capture_asked=_capture_asker(outbox, camera),
        clock=clocks.monotonic_s,
        first_state=DeviceState(
            lifecycle=DeviceLifecycle.STARTING,
            boot_id=clocks.boot_id,
            agent_version=metadata.version("digiscope-edge"),
            model_digest=classifier.model_digest if classifier else "",
            camera=None if camera else CameraHealth(state="none"),
        ),
    )
    folder = _watched_folder(settings, intake, post)
    return RunningDevice(agent=agent, intake=intake, post=post, camera=camera, folder=folder, services=services)


def lock_of(settings: AgentSettings) -> StateDirLock:
    return StateDirLock(Path(settings.state_dir))


def _camera(settings: AgentSettings, intake: Intake, post: Callable[[inbox.Item], None]) -> CameraLoop | None:
    if not settings.camera.source:
        return None

    def take(image: SourceImage) -> None:
        outcome = intake.take(image)
        if isinstance(outcome, CaptureRefused):
            post(inbox.Happened(event=outcome))

    return camera_loop(settings.camera, on_image=take, on_event=lambda event: post(inbox.Happened(event=event)))


def _watched_folder(
    settings: AgentSettings, intake: Intake, post: Callable[[inbox.Item], None]
) -> WatchedFolder | None:
    if not settings.watched_folder:
        return None

    def take(image: SourceImage) -> FolderOutcome:
        outcome = intake.take(image)
        if isinstance(outcome, HeldCapture):
            return FolderOutcome.TAKEN
        if outcome.reason == OUTBOX_FULL:
            # Tried again every few seconds; that the outbox is full is shown already.
            return FolderOutcome.LATER
        post(inbox.Happened(event=outcome))
        return FolderOutcome.REFUSED

    return WatchedFolder(Path(settings.watched_folder), take=take, was_taken=intake.was_taken)


def _on_turn(
    settings: AgentSettings,
    outbox: SqliteOutbox,
    uplink: PahoUplink,
    services: ServiceManager,
    clocks: DeviceClocks,
    *,
    switch_steady: Callable[[], None],
) -> Callable[[], None]:
    """Return what each turn does beside custody: telemetry, camera, and systemd while both threads live."""
    file = None
    if settings.telemetry_file:
        file = TelemetryFile(Path(settings.telemetry_file), outbox, now_text=clocks.now_text)

    def turn() -> None:
        switch_steady()
        if file is not None:
            file.poll()
        if uplink.is_alive():
            services.alive()

    return turn


def _steady_switch(camera: CameraLoop | None, config_sync: ConfigSync) -> Callable[[], None]:
    """Return what brings the config's steady trigger to the camera; cheap where nothing changed."""

    def switch() -> None:
        if camera is not None:
            camera.trigger_when_steady(wanted=config_sync.config.steady_trigger)

    return switch


def _capture_asker(outbox: SqliteOutbox, camera: CameraLoop | None) -> Callable[[], None]:
    """Return what looks whether another terminal asked the camera for a capture."""
    last = outbox.recall(CAPTURE_ASKED)

    def look() -> None:
        nonlocal last
        asked = outbox.recall(CAPTURE_ASKED)
        if asked != last and camera is not None:
            camera.request_capture()
        last = asked

    return look
