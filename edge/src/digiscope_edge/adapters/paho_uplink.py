"""The port Uplink on the shared MQTT session."""

from collections.abc import Callable

import structlog

from digiscope_edge.ports import Downlink
from digiscope_shared.codec import Envelope
from digiscope_shared.mqtt.link_status import LinkStatus
from digiscope_shared.mqtt.packets import IncomingMessage
from digiscope_shared.mqtt.session import MqttSession
from digiscope_shared.mqtt.settings import MqttSettings
from digiscope_shared.mqtt_topics import topic_filters_of_device

log = structlog.get_logger()


class PahoUplink:
    """One device's session: its id is the client id, so the broker lets only one agent use it at a time."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        device_id: str,
        will: tuple[str, Envelope],
        on_downlink: Callable[[Downlink], None],
        on_link: Callable[[LinkStatus], None],
    ) -> None:
        self._on_downlink = on_downlink
        self._session = MqttSession(
            settings,
            client_id=device_id,
            topic_filters=topic_filters_of_device(device_id),
            on_message=self._receive,
            on_link=on_link,
            will=will,
        )

    @property
    def connected(self) -> bool:
        return self._session.connected

    @property
    def max_packet_bytes(self) -> int | None:
        return self._session.max_packet_bytes

    def is_alive(self) -> bool:
        return self._session.is_alive()

    def start(self) -> None:
        self._session.start()

    def publish(
        self,
        mqtt_topic: str,
        envelope: Envelope,
        *,
        retain: bool = False,
        on_taken: Callable[[], None] | None = None,
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        self._session.publish(mqtt_topic, envelope, retain=retain, on_taken=on_taken, on_refused=on_refused)

    def stop(self, deadline_s: float) -> None:
        self._session.stop(deadline_s)

    def _receive(self, message: IncomingMessage) -> None:
        if message.fault:
            # It can't become right by being kept, and unacknowledged it would come again for ever.
            log.warning("downlink_unreadable", mqtt_topic=message.mqtt_topic, fault=message.fault)
            message.ack()
            return
        self._on_downlink(Downlink(mqtt_topic=message.mqtt_topic, envelope=message.envelope, ack=message.ack))
