"""Decides about one message of a device by its channel: the bridge's own logic, and a replay's."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

from digiscope_cloud.bridge import custody
from digiscope_cloud.bridge.capture_desk import CaptureDesk
from digiscope_cloud.bridge.result_desk import ResultDesk
from digiscope_cloud.ports import EventPublisher
from digiscope_shared import codec, logs, mqtt_topics
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.messages import DeviceState, Receipt, ResultRequest, TelemetryReading
from digiscope_shared.mqtt_topics import Channel, DeviceTopic
from digiscope_shared.pubsub_topics import PubsubTopic

_Handler: TypeAlias = Callable[[DeviceTopic, Envelope], Receipt | None]
_CHECKED = {Channel.STATE: DeviceState, Channel.TELEMETRY: TelemetryReading}


class UplinkDesk:
    def __init__(self, *, captures: CaptureDesk, results: ResultDesk, publisher: EventPublisher) -> None:
        self._captures = captures
        self._results = results
        self._publisher = publisher
        self._handlers: dict[Channel, _Handler] = {
            Channel.CAPTURES: self._take_part,
            Channel.TELEMETRY: self._pass_on,
            Channel.STATE: self._pass_on,
            Channel.RESPONSES: self._take_response,
        }

    def answer(self, topic: DeviceTopic, envelope: Envelope) -> Receipt | None:
        """Do what the message asks for and return the receipt to send; to do it again is harmless.

        Raises:
            PermanentError: it can never be accepted.
            TransientError: storage, Pub/Sub or the broker failed.
        """
        with _trace(envelope):
            return self._handlers[topic.channel](topic, envelope)

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


def uplink_topic(mqtt_topic: str) -> DeviceTopic:
    """Parse what a device may publish on; PermanentError `bad-topic` otherwise."""
    topic = mqtt_topics.parse(mqtt_topic)
    if topic.channel not in mqtt_topics.UPLINK:
        raise PermanentError(Reason.BAD_TOPIC, f"{topic.channel} goes down, not up")
    return topic


def _trace(envelope: Envelope) -> AbstractContextManager[None]:
    capture_id = envelope.attributes.get("capture_id")
    if capture_id is None:
        return nullcontext()
    return logs.trace_context(capture_id, envelope.attributes.get("traceparent", ""))
