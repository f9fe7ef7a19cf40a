"""One MQTT 5 session that survives its links. The only code of DigiScope that knows paho-mqtt."""

from digiscope_shared.mqtt.link_status import LinkState, LinkStatus
from digiscope_shared.mqtt.packets import IncomingMessage
from digiscope_shared.mqtt.session import MqttSession
from digiscope_shared.mqtt.settings import MqttSettings

__all__ = ["IncomingMessage", "LinkState", "LinkStatus", "MqttSession", "MqttSettings"]
