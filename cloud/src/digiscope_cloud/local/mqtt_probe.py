"""The smallest MQTT 5 login: does the broker take this name and password?"""

import socket
import struct
from typing import Final

_CONNECT: Final = 0x10
_CONNACK: Final = 0x20
_CLEAN_START_USER_PASSWORD: Final = 0xC2
_KEEPALIVE_S: Final = 10
_CONNACK_BYTES: Final = 4
_DISCONNECT: Final = b"\xe0\x00"


def accepts_login(port: int, username: str, password: str, *, timeout_s: float = 1.0) -> bool:
    """Connect to loopback, log in, disconnect; False where nothing listens or the login is refused."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.sendall(_connect_packet(username, password))
            answer = connection.recv(_CONNACK_BYTES)
            connection.sendall(_DISCONNECT)
    except OSError:
        return False
    # Fixed header, remaining length, flags, reason code: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html 3.2
    return len(answer) == _CONNACK_BYTES and answer[0] == _CONNACK and answer[3] == 0


def _connect_packet(username: str, password: str) -> bytes:
    head = _text("MQTT") + struct.pack("!BBHB", 5, _CLEAN_START_USER_PASSWORD, _KEEPALIVE_S, 0)
    rest = head + _text(f"probe-{username}"[:23]) + _text(username) + _text(password)
    return bytes([_CONNECT]) + _length(len(rest)) + rest


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("!H", len(encoded)) + encoded


def _length(number: int) -> bytes:
    low, high = number % 128, number // 128
    return bytes([low | 0x80, high]) if high else bytes([low])
