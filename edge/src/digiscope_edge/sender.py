"""Carries out what the custody core decides: outbox and uplink on one side, receipts and results on the other."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace

import structlog

from digiscope_edge import inbox
from digiscope_edge.captures import HeldCapture, ImageState
from digiscope_edge.custody import AskResult, Custody, SendPart, part_count
from digiscope_edge.events import CaptureAnswered, CaptureProgressed, CaptureRejected, CaptureStored, Event
from digiscope_edge.ports import DamagedImageError, Outbox, Uplink
from digiscope_shared.codec import Envelope, encode_attributes, encode_json
from digiscope_shared.errors import PermanentError, TransientError
from digiscope_shared.lifecycle import HELD, UNSENT, CaptureEvent, CaptureState
from digiscope_shared.logs import trace_context
from digiscope_shared.messages import AnalysisResult, CaptureAttributes, Receipt, ReceiptKind, ResultRequest
from digiscope_shared.messages.capture import MAX_PART_BYTES
from digiscope_shared.mqtt.packets import packet_bytes
from digiscope_shared.mqtt_topics import Channel, DeviceTopic

log = structlog.get_logger()

# Part numbers and the packet's own length field grow by a few digits.
SLACK_BYTES = 32


class Sender:
    """`show` gets what happened; `post` is how the uplink's thread answers."""

    def __init__(
        self,
        device_id: str,
        *,
        outbox: Outbox,
        uplink: Uplink,
        custody: Custody,
        boot_id: str,
        show: Callable[[Event], None],
        post: Callable[[inbox.Item], None],
        clock: Callable[[], float],
    ) -> None:
        self._outbox, self._uplink, self._custody = outbox, uplink, custody
        self._boot_id, self._show, self._post, self._clock = boot_id, show, post, clock
        self._captures_topic = str(DeviceTopic(device_id=device_id, channel=Channel.CAPTURES))
        self._responses_topic = str(DeviceTopic(device_id=device_id, channel=Channel.RESPONSES))
        self._image: tuple[str, bytes] = ("", b"")

    def enlist(self, capture: HeldCapture) -> None:
        """Put an open capture under the custody core. Connected: only then the broker's packet limit is known."""
        capture_id = capture.capture_id
        if capture_id in self._custody:
            return
        if capture.state is CaptureState.STORED:
            self._custody.stored(capture_id, self._clock())
        elif capture.state in UNSENT and capture.image is ImageState.HELD:
            part_bytes = capture.part_bytes or self._cut(capture)
            self._custody.accepted(
                capture_id,
                image_bytes=capture.attributes.image_bytes,
                part_bytes=part_bytes,
                resumed=capture.state is CaptureState.SENDING,
            )
        elif capture.state is CaptureState.SENDING:
            # Unreadable here, but perhaps whole in the cloud: its result would tell.
            self._custody.stored(capture_id, self._clock())

    def act(self) -> None:
        """Do everything that is due now."""
        for action in self._custody.due(self._clock()):
            match action:
                case SendPart():
                    self._send_part(action)
                case AskResult():
                    self._ask_result(action)

    def part_taken(self, item: inbox.PartTaken) -> None:
        self._custody.part_taken(item.capture_id, item.part, self._clock())
        progress = self._custody.progress(item.capture_id)
        if progress is not None:
            taken, parts = progress
            self._show(CaptureProgressed(capture_id=item.capture_id, parts_sent=taken, parts=parts))

    def part_refused(self, item: inbox.PartRefused) -> None:
        log.warning("part_refused", capture_id=item.capture_id, part=item.part, detail=item.detail)
        self._custody.part_failed(item.capture_id, item.part, self._clock())

    def receipt(self, receipt: Receipt) -> None:
        """Apply a receipt; what it frees is on disk when this returns."""
        match receipt.kind:
            case ReceiptKind.STORED:
                self._stored(receipt)
            case ReceiptKind.REJECTED:
                self._rejected(receipt)
            case ReceiptKind.MISSING:
                self._custody.parts_missing(receipt.capture_id, receipt.missing_parts, self._clock())

    def result(self, result: AnalysisResult) -> None:
        """Keep a result, then show it, once a model."""
        capture = self._outbox.find(result.capture_id)
        if capture is None:
            log.warning("result_of_unknown_capture", capture_id=result.capture_id)
            return
        is_new = self._outbox.answer(result)
        self._custody.settled(result.capture_id)
        if not is_new:
            return
        if capture.state in HELD:
            self._show(CaptureStored(capture_id=result.capture_id))
        with trace_context(result.capture_id, capture.attributes.traceparent):
            log.info("capture_answered", triage=result.triage, model_digest=result.model_digest)
        self._show(CaptureAnswered(capture_id=result.capture_id, result=result, latency_s=self._latency_s(capture)))

    def _cut(self, capture: HeldCapture) -> int:
        part_bytes = MAX_PART_BYTES
        limit = self._uplink.max_packet_bytes
        if limit is not None:
            empty = packet_bytes(self._captures_topic, Envelope(attributes=encode_attributes(capture.attributes)))
            part_bytes = max(1, min(part_bytes, limit - empty - SLACK_BYTES))
        self._outbox.cut(capture.capture_id, part_bytes)
        return part_bytes

    def _send_part(self, action: SendPart) -> None:
        capture_id, part = action.capture_id, action.part
        capture = self._outbox.find(capture_id)
        assert capture is not None, "under custody, so in the outbox"
        try:
            envelope = self._part_envelope(capture, part)
            if capture.state is CaptureState.ACCEPTED:
                self._outbox.advance(capture_id, CaptureEvent.PART_SENT)
            self._uplink.publish(
                self._captures_topic,
                envelope,
                on_taken=lambda: self._post(inbox.PartTaken(capture_id=capture_id, part=part)),
                on_refused=lambda detail: self._post(
                    inbox.PartRefused(capture_id=capture_id, part=part, detail=detail)
                ),
            )
        except DamagedImageError as error:
            log.warning("outbox_image_unreadable", capture_id=capture_id, image=str(error))
            self._custody.settled(capture_id)
        except (TransientError, PermanentError, OSError, sqlite3.Error) as error:
            log.info("part_not_sent", capture_id=capture_id, part=part, error=str(error))
            self._custody.part_failed(capture_id, part, self._clock())

    def _part_envelope(self, capture: HeldCapture, part: int) -> Envelope:
        if self._image[0] != capture.capture_id:
            self._image = (capture.capture_id, self._outbox.read_image(capture.capture_id))
        size = capture.part_bytes
        parts = part_count(capture.attributes.image_bytes, size)
        attributes: CaptureAttributes = replace(capture.attributes, part=part, parts=parts)
        body = self._image[1][part * size : (part + 1) * size]
        return Envelope(attributes=encode_attributes(attributes), body=body)

    def _ask_result(self, action: AskResult) -> None:
        request = ResultRequest(capture_id=action.capture_id)
        envelope = Envelope(attributes={"schema": ResultRequest.SCHEMA}, body=encode_json(request))
        try:
            self._uplink.publish(self._responses_topic, envelope)
            log.info("result_asked", capture_id=action.capture_id)
        except TransientError:
            return  # asked again when the link is back

    def _stored(self, receipt: Receipt) -> None:
        before = self._outbox.find(receipt.capture_id)
        after = self._outbox.advance(receipt.capture_id, CaptureEvent.STORED_RECEIVED)
        if before is None or after is None:
            return
        if after.state is CaptureState.STORED:
            self._custody.stored(receipt.capture_id, self._clock())
        else:
            self._custody.settled(receipt.capture_id)
        if before.state in HELD:
            with trace_context(receipt.capture_id, before.attributes.traceparent):
                log.info("capture_stored", sequence=before.attributes.sequence)
            self._show(CaptureStored(capture_id=receipt.capture_id))

    def _rejected(self, receipt: Receipt) -> None:
        reason, detail = str(receipt.reason or ""), receipt.detail
        before = self._outbox.find(receipt.capture_id)
        if before is None or before.state not in UNSENT:
            return  # said before, or refused what is stored already: a late part of another's making
        self._outbox.advance(receipt.capture_id, CaptureEvent.REJECTED_RECEIVED, reason=reason, detail=detail)
        self._custody.settled(receipt.capture_id)
        log.warning("capture_rejected", capture_id=receipt.capture_id, reason=reason, detail=detail)
        self._show(CaptureRejected(capture_id=receipt.capture_id, reason=reason, detail=detail))

    def _latency_s(self, capture: HeldCapture) -> float:
        """Return NaN over a reboot: no clock of the device can tell."""
        same_boot = capture.attributes.boot_id == self._boot_id
        return self._clock() - capture.accepted_at_s if same_boot else float("nan")
