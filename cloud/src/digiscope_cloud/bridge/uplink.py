"""One message from a device: decides by its channel, retries what passes, dead-letters what doesn't, and acks last."""

import threading
from collections.abc import Callable

import structlog

from digiscope_cloud.audit_log.entries import AuditLog, NoAuditLog
from digiscope_cloud.bridge import custody
from digiscope_cloud.bridge.ports import DeviceDownlink
from digiscope_cloud.bridge.uplink_desk import UplinkDesk, uplink_topic
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_shared.backoff import Backoff
from digiscope_shared.capture_ids import is_capture_id
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason, TransientError
from digiscope_shared.messages import Receipt
from digiscope_shared.mqtt import IncomingMessage
from digiscope_shared.mqtt_topics import Channel, DeviceTopic

_log = structlog.get_logger()
# A fault of ours, not of the message: it is tried again, in case, and then kept for a person.
_OUR_FAULT = "bridge-fault"
_TRIES_AT_OUR_FAULT = 3


class Uplink:
    def __init__(
        self,
        *,
        desk: UplinkDesk,
        dead_letters: DeadLetters,
        downlink: DeviceDownlink,
        stopping: threading.Event,
        audit_log: AuditLog | None = None,
        new_backoff: Callable[[], Backoff] = lambda: Backoff(base_s=0.2, cap_s=30.0),
    ) -> None:
        self._desk = desk
        self._dead_letters = dead_letters
        self._downlink = downlink
        self._stopping = stopping
        self._audit_log = audit_log or NoAuditLog()
        self._new_backoff = new_backoff

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
            topic = uplink_topic(message.mqtt_topic)
            _check_attributes(message)
            receipt = self._desk.answer(topic, message.envelope)
        except PermanentError as error:
            self._put_aside(message, error.reason, error.detail)
            self._audit_log.append(custody.refusal_of(message.mqtt_topic, message.envelope, error))
            receipt = _rejection(topic, message.envelope, error)
        return (topic, receipt) if topic is not None and receipt is not None else None

    def _finish(self, message: IncomingMessage, answer: tuple[DeviceTopic, Receipt] | None) -> None:
        message.ack()
        if answer is None:
            return
        topic, receipt = answer
        try:
            self._downlink.publish(custody.receipts_topic(topic.device_id), custody.receipt_envelope(receipt))
        except (TransientError, PermanentError) as error:
            # The device asks again for what got no receipt.
            _log.warning("receipt_not_sent", capture_id=receipt.capture_id, error=str(error))

    def _bury(self, message: IncomingMessage, reason: str, detail: str) -> bool:
        try:
            self._put_aside(message, reason, detail)
        except TransientError as error:
            _log.warning("dead_letter_not_put", error=str(error))
            return False
        return True

    def _put_aside(self, message: IncomingMessage, reason: str, detail: str) -> None:
        self._dead_letters.put(
            message.envelope, reason=reason, detail=detail, mqtt_topic=message.mqtt_topic, damage=message.fault
        )


def lane_key(message: IncomingMessage) -> str:
    """Return what must be handled in order: the parts of one capture, or everything else of one device."""
    path, _, channel = message.mqtt_topic.rpartition("/")
    return message.envelope.attributes.get("capture_id", path) if channel == Channel.CAPTURES else path


def _check_attributes(message: IncomingMessage) -> None:
    if message.fault:
        raise PermanentError(Reason.BAD_ATTRIBUTES, message.fault)


def _rejection(topic: DeviceTopic | None, envelope: Envelope, error: PermanentError) -> Receipt | None:
    capture_id = envelope.attributes.get("capture_id", "")
    if topic is None or topic.channel is not Channel.CAPTURES or not is_capture_id(capture_id):
        return None
    return custody.rejected_receipt(capture_id, error, envelope.attributes.get("traceparent", ""))
