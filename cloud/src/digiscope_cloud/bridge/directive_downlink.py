"""The way down for who has no broker: through Pub/Sub, and over the bridge that runs."""

from collections.abc import Callable

from digiscope_cloud.ports import EventPublisher
from digiscope_shared import mqtt_topics
from digiscope_shared.codec import Envelope
from digiscope_shared.pubsub_topics import PubsubTopic


class DirectiveDownlink:
    """A `DeviceDownlink` that needs no right at the broker; `Downlink` is at the other end."""

    def __init__(self, publisher: EventPublisher) -> None:
        self._publisher = publisher

    def publish(
        self,
        mqtt_topic: str,
        envelope: Envelope,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        on_taken: Callable[[], None] | None = None,
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        """Return when Pub/Sub has it, which counts as taken: it is delivered until the broker has it."""
        del retain, on_refused  # the bridge retains by channel
        topic = mqtt_topics.parse(mqtt_topic)
        routing = {"device_id": topic.device_id, "channel": topic.channel.value, "tail": topic.tail}
        if expiry_s is not None:
            routing["expiry_s"] = str(expiry_s)
        attributes = dict(envelope.attributes) | {name: value for name, value in routing.items() if value}
        self._publisher.publish(
            PubsubTopic.DEVICE_DIRECTIVES,
            Envelope(attributes=attributes, body=envelope.body),
            ordering_key=topic.device_id,
        )
        if on_taken is not None:
            on_taken()
