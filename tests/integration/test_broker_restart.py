"""What Mosquitto, on the shipped configuration, remembers and forgets when it dies and comes back."""

from pathlib import Path

from digiscope_cloud.local.servers import BRIDGE, Mosquitto
from digiscope_shared.codec import Envelope
from digiscope_shared.mqtt import IncomingMessage, MqttSession
from digiscope_shared.mqtt_topics import Channel, DeviceTopic, topic_filters_of_bridge
from tests.support.waiting import wait_until

DEVICE_ID = "site-1"


def test_shared_subscriptions_work_after_a_kill_that_follows_a_save(run_dir: Path) -> None:
    """Mosquitto 2.0.11 restores the session without them: who doesn't subscribe again hears nothing any more."""
    received: list[IncomingMessage] = []
    with Mosquitto(run_dir, identities=[DEVICE_ID]) as broker:
        bridge = session(broker, BRIDGE, received, topic_filters_of_bridge())
        device = session(broker, DEVICE_ID, [], [])
        try:
            broker.save_now()
            database = run_dir / "mosquitto-state" / "digiscope.db"
            wait_until(database.exists, what="the database")
            broker.kill()
            wait_until(lambda: not bridge.connected and not device.connected, what="both links lost")
            broker.start()
            wait_until(lambda: bridge.connected and device.connected, timeout_s=30, what="both back")
            topic = str(DeviceTopic(device_id=DEVICE_ID, channel=Channel.CAPTURES))
            device.publish(topic, Envelope(attributes={}, body=b"after"))
            wait_until(lambda: [message.envelope.body for message in received] == [b"after"], what="the part")
        finally:
            device.stop(1)
            bridge.stop(1)


def session(broker: Mosquitto, identity: str, received: list[IncomingMessage], topic_filters: list[str]) -> MqttSession:
    def take(message: IncomingMessage) -> None:
        received.append(message)
        message.ack()

    made = MqttSession(
        broker.settings(identity),
        client_id=f"test-{identity}",
        topic_filters=topic_filters,
        on_message=take,
        on_link=lambda _: None,
    )
    made.start()
    wait_until(lambda: made.connected, what=f"{identity} is connected")
    return made
