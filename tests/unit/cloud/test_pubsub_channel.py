from typing import Any

import grpc
import pytest

from digiscope_cloud.adapters.pubsub_channel import client_arguments

# What grpc-java permits where a server sets nothing, as the Pub/Sub emulator doesn't.
PERMITTED_MS = 5 * 60 * 1000


def test_the_emulator_is_not_pinged_more_often_than_it_bears(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setattr(grpc, "insecure_channel", lambda _host, options: made.append(dict(options)))
    client_arguments(lambda *, channel: channel)
    (options,) = made
    assert options["grpc.keepalive_time_ms"] > PERMITTED_MS
    assert options["grpc.max_receive_message_length"] == -1


def test_google_cloud_gets_googles_own_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    assert client_arguments(None) == {}
