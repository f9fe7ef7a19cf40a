"""One message from a device: decides by its channel, retries what passes, dead-letters what doesn't, and acks last."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import structlog

from digiscope_cloud.audit_log.entries import AuditLog, NoAuditLog
from digiscope_cloud.bridge import custody
from digiscope_cloud.bridge.capture_desk import CaptureDesk
from digiscope_cloud.bridge.dead_letters import DeadLetters
from digiscope_cloud.bridge.ports import DeviceDownlink
from digiscope_cloud.bridge.result_desk import ResultDesk
from digiscope_cloud.ports import EventPublisher
from digiscope_shared import codec, logs, mqtt_topics
from digiscope_shared.backoff import Backoff
from digiscope_shared.capture_ids import is_capture_id
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason, TransientError
from digiscope_shared.messages import DeviceState, Receipt, ResultRequest, TelemetryReading
from digiscope_shared.mqtt import IncomingMessage
from digiscope_shared.mqtt_topics import Channel, DeviceTopic
from digiscope_shared.pubsub_topics import UPLINK_DEAD, PubsubTopic

_log = structlog.get_logger()
_CHECKED = {Channel.STATE: DeviceState, Channel.TELEMETRY: TelemetryReading}
# A fault of ours, not of the message: it is tried again, in case, and then kept for a person.
_OUR_FAULT = "bridge-fault"
_TRIES_AT_OUR_FAULT = 3


class Uplink:
    def __init__(
        self,
        *,
        captures: CaptureDesk,
        results: ResultDesk,
        publisher: EventPublisher,
        dead_letters: DeadLetters,
        downlink: DeviceDownlink,
        stopping: threading.Event,
        audit_log: AuditLog | None = None,
        new_backoff: Callable[[], Backoff] = lambda: Backoff(base_s=0.2, cap_s=30.0),
    ) -> None:
        self._captures = captures
        self._results = results
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._downlink = downlink
        self._stopping = stopping
        self._audit_log = audit_log or NoAuditLog()
        self._new_backoff = new_backoff
        self._handlers: dict[Channel, Callable[[DeviceTopic, Envelope], Receipt | None]] = {
            Channel.CAPTURES: self._take_part,
            Channel.TELEMETRY: self._pass_on,
            Channel.STATE: self._pass_on,
            Channel.RESPONSES: self._take_response,
        }

    def handle(self, message: IncomingMessage) -> None:
        """Return when it is done and acked, or when the bridge stops: then it stays with the broker."""
        backoff = self._new_backoff()
        our_faults = 0
        while not self._stopping.is_set():
            try:
                self._finish(message, self._decide(message))
            except TransientError as error:
                delay_s = backoff.next_delay_s()
                _log.warning(
                    "uplink_retried", mqtt_topic=message.mqtt_topic, error=str(error), delay_s=round(delay_s, 2)
                )
                self._stopping.wait(delay_s)
            except Exception as error:  # noqa: BLE001 (outermost edge: a bug may neither end the lane nor lose the message)
                _log.exception("uplink_failed", mqtt_topic=message.mqtt_topic)
                our_faults += 1
                if our_faults >= _TRIES_AT_OUR_FAULT and self._bury(message, _OUR_FAULT, repr(error)):
                    message.ack()
                    return
                self._stopping.wait(backoff.next_delay_s())
            else:
                return

    def _decide(self, message: IncomingMessage) -> tuple[DeviceTopic, Receipt] | None:
        """Do what the message asks for and return the receipt to send, or None. TransientError: all again."""
        topic: DeviceTopic | None = None
        try:
            topic = _uplink_topic(message.mqtt_topic)
            _check_attributes(message)
            with _trace(message.envelope):
                receipt = self._handlers[topic.channel](topic, message.envelope)
        except PermanentError as error:
            self._dead_letters.put(
                UPLINK_DEAD,
                message.envelope,
                reason=error.reason,
                detail=error.detail,
                mqtt_topic=message.mqtt_topic[:255],
            )
            self._audit_log.append(custody.refusal_of(message.mqtt_topic, message.envelope, error))
            receipt = _rejection(topic, message.envelope, error)
        return (topic, receipt) if topic is not None and receipt is not None else None

    def _finish(self, message: IncomingMessage, answer: tuple[DeviceTopic, Receipt] | None) -> None:
        message.ack()
        if answer is None:
            return
        topic, receipt = answer
        receipts = str(DeviceTopic(device_id=topic.device_id, channel=Channel.RECEIPTS))
        try:
            self._downlink.publish(receipts, custody.receipt_envelope(receipt))
        except (TransientError, PermanentError) as error:
            # The device asks again for what got no receipt.
            _log.warning("receipt_not_sent", capture_id=receipt.capture_id, error=str(error))

    def _bury(self, message: IncomingMessage, reason: str, detail: str) -> bool:
        try:
            self._dead_letters.put(
                UPLINK_DEAD, message.envelope, reason=reason, detail=detail, mqtt_topic=message.mqtt_topic[:255]
            )
        except TransientError as error:
            _log.warning("dead_letter_not_put", error=str(error))
            return False
        return True

    def _take_part(self, topic: DeviceTopic, envelope: Envelope) -> Receipt | None:
        return self._captures.take(custody.read_part(topic.device_id, envelope))

    def _pass_on(self, topic: DeviceTopic, envelope: Envelope) -> None:
        if topic.channel in _CHECKED:
            checked: type[Any] = _CHECKED[topic.channel]
            codec.decode_json(checked, envelope.body)
        attributes = dict(envelope.attributes) | {"device_id": topic.device_id, "channel": topic.channel.value}
        self._publisher.publish(
            PubsubTopic.DEVICE_EVENTS,
            Envelope(attributes=attributes, body=envelope.body),
            ordering_key=topic.device_id,
        )

    def _take_response(self, topic: DeviceTopic, envelope: Envelope) -> None:
        if envelope.attributes.get("schema") == ResultRequest.SCHEMA:
            self._results.answer(topic.device_id, codec.decode_json(ResultRequest, envelope.body))
        else:
            self._pass_on(topic, envelope)


def lane_key(message: IncomingMessage) -> str:
    """Return what must be handled in order: the parts of one capture, or everything else of one device."""
    path, _, channel = message.mqtt_topic.rpartition("/")
    return message.envelope.attributes.get("capture_id", path) if channel == Channel.CAPTURES else path


def _uplink_topic(mqtt_topic: str) -> DeviceTopic:
    topic = mqtt_topics.parse(mqtt_topic)
    if topic.channel not in mqtt_topics.UPLINK:
        raise PermanentError(Reason.BAD_TOPIC, f"{topic.channel} goes down, not up")
    return topic


def _check_attributes(message: IncomingMessage) -> None:
    if message.fault:
        raise PermanentError(Reason.BAD_ATTRIBUTES, message.fault)


def _rejection(topic: DeviceTopic | None, envelope: Envelope, error: PermanentError) -> Receipt | None:
    capture_id = envelope.attributes.get("capture_id", "")
    if topic is None or topic.channel is not Channel.CAPTURES or not is_capture_id(capture_id):
        return None
    return custody.rejected_receipt(capture_id, error, envelope.attributes.get("traceparent", ""))


def _trace(envelope: Envelope) -> Any:
    capture_id = envelope.attributes.get("capture_id")
    if capture_id is None:
        return nullcontext()
    return logs.trace_context(capture_id, envelope.attributes.get("traceparent", ""))
