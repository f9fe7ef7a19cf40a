"""One message for a device: hands it to the broker and acks Pub/Sub when the broker has taken it."""

import re
import threading
from collections.abc import Callable
from typing import Final

import structlog

from digiscope_cloud.bridge.ports import DeviceDownlink
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_cloud.ports import Delivery, EventPublisher
from digiscope_shared import mqtt_topics
from digiscope_shared.backoff import Backoff
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason, TransientError
from digiscope_shared.mqtt_topics import Channel, DeviceTopic
from digiscope_shared.pubsub_topics import Subscription, dead_letter_id

_log = structlog.get_logger()
# How the message travels; what the device has no use for.
ROUTING: Final = frozenset({"channel", "tail", "expiry_s"})
_SECONDS: Final = re.compile("[0-9]{1,10}")


class Downlink:
    def __init__(
        self,
        *,
        devices: DeviceDownlink,
        publisher: EventPublisher,
        stopping: threading.Event,
        new_backoff: Callable[[], Backoff] = lambda: Backoff(base_s=0.2, cap_s=5.0),
    ) -> None:
        self._devices = devices
        self._dead_letters = {each: DeadLetters(publisher, dead_letter_id(each)) for each in Subscription}
        self._stopping = stopping
        self._new_backoff = new_backoff

    def take_result(self, delivery: Delivery) -> None:
        """Send an analysis result to the device that captured."""
        self._take(Subscription.RESULTS_BRIDGE, delivery, result_topic)

    def take_directive(self, delivery: Delivery) -> None:
        """Send whatever the fleet has for a device, on the channel that the message names."""
        self._take(Subscription.DEVICE_DIRECTIVES_BRIDGE, delivery, directive_topic)

    def _take(
        self, subscription: Subscription, delivery: Delivery, topic_of: Callable[[Envelope], DeviceTopic]
    ) -> None:
        backoff = self._new_backoff()
        while not self._stopping.is_set():
            try:
                self._send(subscription, delivery, topic_of)
            except TransientError as error:
                _log.info("downlink_waits", subscription=subscription, error=str(error))
                self._stopping.wait(backoff.next_delay_s())
            except Exception:  # noqa: BLE001 (outermost edge: Pub/Sub counts the attempts and dead-letters it)
                _log.exception("downlink_failed", subscription=subscription)
                delivery.nack()
                return
            else:
                return
        delivery.nack()

    def _send(
        self, subscription: Subscription, delivery: Delivery, topic_of: Callable[[Envelope], DeviceTopic]
    ) -> None:
        envelope = delivery.envelope
        try:
            topic = topic_of(envelope)
            attributes = {name: value for name, value in envelope.attributes.items() if name not in ROUTING}
            self._devices.publish(
                str(topic),
                Envelope(attributes=attributes, body=envelope.body),
                retain=topic.channel in mqtt_topics.RETAINED,
                expiry_s=_expiry_s(envelope),
                on_taken=delivery.ack,
                on_refused=lambda detail: _refused(subscription, delivery, detail),
            )
        except PermanentError as error:
            self._dead_letters[subscription].bury(envelope, error)
            delivery.ack()


def result_topic(envelope: Envelope) -> DeviceTopic:
    """Return where a result goes; PermanentError `bad-attributes` without a device."""
    return DeviceTopic(device_id=_device_id(envelope), channel=Channel.RESULTS)


def directive_topic(envelope: Envelope) -> DeviceTopic:
    """Return where a directive goes.

    Raises:
        PermanentError: `bad-attributes` without a device, `bad-topic` where channel and tail make no downlink topic.
    """
    channel, tail = envelope.attributes.get("channel", ""), envelope.attributes.get("tail", "")
    if channel not in mqtt_topics.DOWNLINK:
        raise PermanentError(Reason.BAD_TOPIC, f"no downlink channel: {channel[:64]!r}")
    topic = DeviceTopic(device_id=_device_id(envelope), channel=Channel(channel), tail=tail)
    return mqtt_topics.parse(str(topic))


def _device_id(envelope: Envelope) -> str:
    device_id = envelope.attributes.get("device_id", "")
    if not mqtt_topics.is_device_id(device_id):
        raise PermanentError(Reason.BAD_ATTRIBUTES, f"no device id: {device_id[:64]!r}")
    return device_id


def _expiry_s(envelope: Envelope) -> int | None:
    text = envelope.attributes.get("expiry_s")
    if text is None:
        return None
    if not _SECONDS.fullmatch(text) or int(text) >= 1 << 32:
        raise PermanentError(Reason.BAD_ATTRIBUTES, f"expiry_s is no number of seconds: {text[:32]!r}")
    return int(text)


def _refused(subscription: Subscription, delivery: Delivery, detail: str) -> None:
    _log.error("broker_refused", subscription=subscription, detail=detail)
    delivery.nack()
