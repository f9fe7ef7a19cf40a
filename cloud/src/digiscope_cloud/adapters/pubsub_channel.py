"""The gRPC channel to the Pub/Sub emulator, where PUBSUB_EMULATOR_HOST names one."""

import os
from typing import Any, Final

import grpc

# The client library's own emulator channel keeps gRPC's 4 MB cap, and a larger pull response then never arrives,
# without an error: https://github.com/googleapis/python-pubsub/issues/1349
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Not more often than a server in Java bears, or it ends the connection and goes on handing messages to its streams:
    # https://github.com/grpc/grpc/blob/master/doc/keepalive.md
    ("grpc.keepalive_time_ms", 310_000),
    # gRPC's default grows to two minutes: too long to wait for an emulator that has come back.
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


def emulator_host() -> str | None:
    """Return host and port of the emulator, None for Google Cloud."""
    return os.environ.get("PUBSUB_EMULATOR_HOST") or None


def client_arguments(transport_type: Any) -> dict[str, Any]:
    """Return what a Pub/Sub client is built with: a transport to the emulator, or nothing, for Google Cloud."""
    host = emulator_host()
    return {"transport": transport_type(channel=grpc.insecure_channel(host, options=_OPTIONS))} if host else {}
