"""Sends a dead letter's message where it belongs, as if it came for the first time."""

from digiscope_cloud.bridge import custody
from digiscope_cloud.bridge.ports import DeviceDownlink
from digiscope_cloud.bridge.uplink_desk import UplinkDesk, uplink_topic
from digiscope_cloud.dead_letters.letter import Letter
from digiscope_cloud.ports import EventPublisher
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.pubsub_topics import ORDERED, TOPIC_OF, UPLINK_DEAD, Subscription, dead_letter_id

_TOPIC_BEHIND = {dead_letter_id(subscription): TOPIC_OF[subscription] for subscription in Subscription}


class Replayer:
    """Devices' messages are handled here as the bridge does, for only a device may publish them over MQTT."""

    def __init__(self, *, publisher: EventPublisher, uplink: UplinkDesk, downlink: DeviceDownlink) -> None:
        self._publisher = publisher
        self._uplink = uplink
        self._downlink = downlink

    def replay(self, letter: Letter) -> None:
        """Return when it is confirmed; to do it again is harmless.

        Raises:
            PermanentError: it would be refused again, or isn't what was sent.
            TransientError: storage or Pub/Sub failed.
        """
        if letter.damage:
            raise PermanentError(Reason.BAD_ATTRIBUTES, f"this is not what was sent: {letter.damage}")
        if letter.place == UPLINK_DEAD:
            self._handle_again(letter)
        else:
            self._publish_again(letter)

    def _handle_again(self, letter: Letter) -> None:
        topic = uplink_topic(letter.mqtt_topic)
        receipt = self._uplink.answer(topic, letter.message)
        if receipt is not None:
            self._downlink.publish(custody.receipts_topic(topic.device_id), custody.receipt_envelope(receipt))

    def _publish_again(self, letter: Letter) -> None:
        pubsub_topic_id, message = _TOPIC_BEHIND[letter.place], letter.message
        ordering_key = message.attributes.get("device_id", "") if pubsub_topic_id in ORDERED else ""
        self._publisher.publish(pubsub_topic_id, message, ordering_key=ordering_key)
