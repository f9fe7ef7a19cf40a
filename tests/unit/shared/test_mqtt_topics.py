import pytest

from digiscope_shared import mqtt_topics
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.mqtt_topics import Channel, DeviceTopic


@pytest.mark.parametrize("channel", sorted(Channel))
def test_every_topic_parses_back(channel: Channel) -> None:
    tail = "abc" if channel in (Channel.MODEL, Channel.COMMANDS) else ""
    topic = DeviceTopic(device_id="clinic-7", channel=channel, tail=tail)
    assert mqtt_topics.parse(str(topic)) == topic


@pytest.mark.parametrize(
    "mqtt_topic",
    [
        "",
        "digiscope/v1/devices/",
        "digiscope/v1/devices/a",
        "digiscope/v2/devices/a/captures",
        "digiscope/v1/devices/A/captures",
        "digiscope/v1/devices/../captures",
        "digiscope/v1/devices/a/captures/1",
        "digiscope/v1/devices/a/model",
        "digiscope/v1/devices/a/model/",
        "digiscope/v1/devices/a/model/b/c",
        "digiscope/v1/devices/a/other",
        "digiscope/v1/devices/" + "a" * 64 + "/captures",
    ],
)
def test_anything_else_is_refused(mqtt_topic: str) -> None:
    with pytest.raises(PermanentError) as caught:
        mqtt_topics.parse(mqtt_topic)
    assert caught.value.reason is Reason.BAD_TOPIC


def test_a_device_subscribes_to_its_own_downlink_only() -> None:
    filters = mqtt_topics.topic_filters_of_device("a")
    assert len(filters) == len(mqtt_topics.DOWNLINK)
    assert all(topic_filter.startswith("digiscope/v1/devices/a/") for topic_filter in filters)
