"""The agent: one thread, one queue. Everything that happens comes through the inbox; nothing else touches its state.

A turn: deal with what came in, look for new captures in the outbox, do what is due, report. The uplink and the camera
have threads of their own and only post; so a broken camera never stops the uplink, nor the other way round.
"""

import os
import queue
import sqlite3
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import structlog

from digiscope_edge import inbox
from digiscope_edge.captures import HeldCapture
from digiscope_edge.config_sync import ConfigSync
from digiscope_edge.custody import Custody
from digiscope_edge.events import (
    CameraChanged,
    CaptureAccepted,
    CaptureAnswered,
    CaptureRejected,
    ConfigApplied,
    ConfigRefused,
    Event,
    LinkChanged,
    OutboxChanged,
)
from digiscope_edge.ports import Display, Downlink, Outbox, Uplink
from digiscope_edge.sender import Sender
from digiscope_edge.state_report import AgentStatus, StateReport, StatusFile
from digiscope_edge.telemetry_pump import TelemetryPump
from digiscope_shared.codec import decode_json
from digiscope_shared.errors import DigiScopeError, PermanentError
from digiscope_shared.lifecycle import DeviceLifecycle, IllegalStepError
from digiscope_shared.messages import AnalysisResult, ConfigRefusal, DesiredConfig, DeviceState, Receipt
from digiscope_shared.mqtt.link_status import LinkState, LinkStatus
from digiscope_shared.mqtt_topics import Channel, parse

log = structlog.get_logger()

# How soon a capture from another terminal is seen.
TURN_S: Final = 0.25
GOODBYE_S: Final = 3.0


class Ending(StrEnum):
    """Why the agent ended."""

    STOPPED = "stopped"
    SETTLED = "settled"
    TAKEN_OVER = "taken-over"


class Agent:
    """Built by `bootstrap`; `run` returns when it is told to stop."""

    def __init__(
        self,
        device_id: str,
        *,
        outbox: Outbox,
        uplink: Uplink,
        sender: Sender,
        custody: Custody,
        config_sync: ConfigSync,
        check_config: Callable[[bytes], None],
        report: StateReport,
        status_file: StatusFile,
        pump: TelemetryPump,
        display: Display,
        items: "queue.SimpleQueue[inbox.Item]",
        source_of: Callable[[str], str],
        on_turn: Callable[[], None],
        on_capture_asked: Callable[[], None],
        clock: Callable[[], float],
        first_state: DeviceState,
    ) -> None:
        self.device_id = device_id
        self._outbox, self._uplink, self._sender, self._custody = outbox, uplink, sender, custody
        self._config_sync, self._report, self._status_file, self._pump = config_sync, report, status_file, pump
        self._display, self._items, self._source_of = display, items, source_of
        self._check_config = check_config
        self._on_turn, self._on_capture_asked = on_turn, on_capture_asked
        self._clock, self._first_state = clock, first_state
        self._lifecycle = DeviceLifecycle.STARTING
        self._camera = first_state.camera
        self.was_connected = False
        self.rejected = 0
        self._link = LinkChanged(connected=False, detail="not yet connected")
        self._outbox_shown: OutboxChanged | None = None
        self._seen_sequence = self._enlisted_sequence = 0
        self._change_mark = -1
        self._awaited: set[str] | None = None
        self._settled: set[str] = set()
        self._ending: Ending | None = None
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            Downlink: self._receive,
            LinkStatus: self._link_changed,
            inbox.PartTaken: sender.part_taken,
            inbox.PartRefused: sender.part_refused,
            inbox.ReadingTaken: pump.taken,
            inbox.OutboxGrew: lambda _: self._look_for_captures(),
            inbox.Happened: lambda item: self.show(item.event),
            inbox.Stop: self._stop,
            inbox.FilesGiven: self._await_files,
        }
        self._readers: dict[Channel, Callable[[bytes], None]] = {
            Channel.RECEIPTS: lambda body: self._sender.receipt(decode_json(Receipt, body)),
            Channel.RESULTS: lambda body: self._sender.result(decode_json(AnalysisResult, body)),
            Channel.CONFIG: self._receive_config,
        }

    def run(self) -> Ending:
        """Work until `Stop` comes, all awaited files are settled, or another agent takes our identity."""
        self._start()
        while self._ending is None:
            self._turn()
        self._shut_down()
        return self._ending

    def show(self, event: Event) -> None:
        """Pass an event on to the display; on the agent's thread."""
        match event:
            case CameraChanged():
                self._camera = event.health
            case CaptureAnswered():
                self._settled.add(event.capture_id)
            case CaptureRejected():
                self._settled.add(event.capture_id)
                self.rejected += 1
        self._display.show(event)

    def _start(self) -> None:
        self._display.start()
        for capture in self._outbox.open_captures():
            self._seen(capture)
        self._seen_sequence = max(self._seen_sequence, self._outbox.last_sequence())
        self._lifecycle = DeviceLifecycle.READY
        self._uplink.start()

    def _turn(self) -> None:
        try:
            for item in self._wait():
                self._handle(item)
            self._look_elsewhere()
            self._sender.act()
            self._pump.pump()
            self._on_turn()
            self._say()
        except (OSError, sqlite3.Error):
            # A full or failing disk: custody is kept (nothing was acknowledged), and the agent tries on.
            log.exception("agent_turn_failed")

    def _wait(self) -> list[inbox.Item]:
        due_s = self._custody.next_due_s()
        timeout_s = TURN_S if due_s is None else min(TURN_S, max(0.0, due_s - self._clock()))
        try:
            items = [self._items.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        while not self._items.empty():
            items.append(self._items.get())
        return items

    def _handle(self, item: inbox.Item) -> None:
        try:
            self._handlers[type(item)](item)
        except (OSError, sqlite3.Error):
            # The next item may hold the window's acknowledgement; this one wasn't acknowledged and comes again.
            log.exception("agent_item_failed", item=type(item).__name__)

    def _receive(self, downlink: Downlink) -> None:
        """Acknowledge when the effect is on disk; what can never be read is acknowledged too, or it came for ever."""
        try:
            reader = self._readers.get(parse(downlink.mqtt_topic).channel)
            if reader is None:
                log.info("downlink_ignored", mqtt_topic=downlink.mqtt_topic)
            elif downlink.envelope.body:
                reader(downlink.envelope.body)
        except IllegalStepError as error:
            log.warning("downlink_out_of_step", mqtt_topic=downlink.mqtt_topic, error=str(error))
        except DigiScopeError as error:
            log.warning("downlink_refused", mqtt_topic=downlink.mqtt_topic, error=str(error))
        downlink.ack()

    def _link_changed(self, status: LinkStatus) -> None:
        connected = status.state is LinkState.CONNECTED
        self.was_connected = self.was_connected or connected
        if connected:
            self._custody.link_up(self._clock())
            self._enlist()
            self._report.forget()
        else:
            self._custody.link_down()
        if status.fatal:
            self._ending = Ending.TAKEN_OVER
        detail = status.detail or status.state
        changed = LinkChanged(connected=connected, detail=str(detail))
        if changed != self._link:
            self._link = changed
            self.show(changed)

    def _receive_config(self, body: bytes) -> None:
        desired = decode_json(DesiredConfig, body)
        try:
            self._check_config(body)
        except PermanentError as error:
            log.warning("config_distrusted", version=desired.version, detail=error.detail)
            self.show(self._config_sync.distrust(desired.version, error.detail))
        else:
            self._configure(desired)

    def _configure(self, desired: DesiredConfig) -> None:
        outcome = self._config_sync.consider(desired)
        match outcome:
            case ConfigApplied():
                self._outbox.keep_config(desired)
                self._custody.policy = self._config_sync.config.custody_policy
                log.info("config_applied", version=outcome.version)
                self.show(outcome)
            case ConfigRefused():
                self._outbox.keep_config_refusal(outcome.version, outcome.detail)
                log.warning("config_refused", version=outcome.version, detail=outcome.detail)
                self.show(outcome)

    def _look_elsewhere(self) -> None:
        """Another process may have accepted a capture, or asked for one."""
        mark = self._outbox.change_mark()
        if mark == self._change_mark:
            return
        self._change_mark = mark
        self._look_for_captures()
        self._on_capture_asked()

    def _look_for_captures(self) -> None:
        for capture in self._outbox.newer_than(self._seen_sequence):
            self._seen(capture)
        if self._uplink.connected:
            self._enlist()

    def _seen(self, capture: HeldCapture) -> None:
        self._seen_sequence = max(self._seen_sequence, capture.attributes.sequence)
        self.show(
            CaptureAccepted(
                capture_id=capture.capture_id,
                sequence=capture.attributes.sequence,
                source=self._source_of(capture.capture_id),
                image_bytes=capture.attributes.image_bytes,
                prescreen=capture.attributes.prescreen,
            )
        )

    def _enlist(self) -> None:
        for capture in self._outbox.open_captures(after=self._enlisted_sequence):
            self._sender.enlist(capture)
            self._enlisted_sequence = capture.attributes.sequence

    def _await_files(self, item: inbox.FilesGiven) -> None:
        self._awaited = set(item.capture_ids)

    def _stop(self, item: inbox.Stop) -> None:
        log.info("agent_stopping", reason=item.reason)
        self._ending = self._ending or Ending.STOPPED

    def _say(self) -> None:
        state = self._device_state()
        now_s = self._clock()
        self._report.update(state, now_s)
        self._status_file.update(
            AgentStatus(
                device_id=self.device_id,
                pid=os.getpid(),
                written_at_s=now_s,
                connected=self._link.connected,
                link_detail=self._link.detail,
                device_state=state,
            )
        )
        if self._awaited is not None and self._awaited <= self._settled and self._ending is None:
            self._ending = Ending.SETTLED

    def _device_state(self) -> DeviceState:
        load = self._outbox.load()
        changed = OutboxChanged(captures=load.captures, held_bytes=load.held_bytes, full=load.full)
        if changed != self._outbox_shown:
            self._outbox_shown = changed
            self.show(changed)
        refused = self._config_sync.refused or self._config_sync.distrusted
        return DeviceState(
            lifecycle=self._lifecycle,
            boot_id=self._first_state.boot_id,
            agent_version=self._first_state.agent_version,
            model_digest=self._first_state.model_digest,
            config_version=self._config_sync.version,
            config_refused=ConfigRefusal(version=refused.version, detail=refused.detail) if refused else None,
            outbox_captures=load.captures,
            outbox_bytes=load.held_bytes,
            outbox_full=load.full,
            camera=self._camera,
        )

    def _shut_down(self) -> None:
        self._lifecycle = DeviceLifecycle.STOPPED
        try:
            self._say()
        except (OSError, sqlite3.Error):
            log.exception("agent_goodbye_failed")
        self._uplink.stop(GOODBYE_S)
        self._display.stop()
