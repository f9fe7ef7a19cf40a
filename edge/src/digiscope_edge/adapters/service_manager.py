"""Tells systemd that we are ready and alive; does nothing without it.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import os
import socket


class ServiceManager:
    def __init__(self, address: str | None = None) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # "@" stands for the abstract namespace's zero byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
                notify.sendto(text.encode(), address)
        except OSError:
            return  # a watchdog that can't be told must not stop the agent
