"""Calls a subscription's callbacks in turns of devices, where Google's own scheduler calls them as they come."""

import queue
import threading
from collections.abc import Callable
from typing import Any

from google.cloud.pubsub_v1.subscriber.scheduler import Scheduler

from digiscope_cloud.turns import TurnQueue


class TurnScheduler(Scheduler):  # type: ignore[misc]  # Google's package has no types
    """The Scheduler that Google's client asks for, with threads of its own, `per_device` for one device at most."""

    def __init__(self, threads: int, *, per_device: int, name: str) -> None:
        # What the client's own threads tell each other; it wants this kind.
        self._requests: queue.Queue[Any] = queue.Queue()
        self._turns: TurnQueue[tuple[Callable[..., None], Any]] = TurnQueue(at_once=per_device)
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queue(self) -> "queue.Queue[Any]":
        return self._requests

    def schedule(self, callback: Callable[..., None], *args: Any, **_: Any) -> None:
        """Take one message. After the shutdown it is left to its lease, as Google's scheduler does."""
        (message,) = args
        self._turns.put(message.attributes.get("device_id", ""), (callback, message))

    def shutdown(self, await_msg_callbacks: bool = False) -> list[Any]:  # noqa: FBT001, FBT002, Google's signature
        """Begin nothing new and return what didn't begin; the client gives that back."""
        left = [message for _, message in self._turns.close()]
        if await_msg_callbacks:
            for thread in self._threads:
                thread.join()
        return left

    def _run(self) -> None:
        while (turn := self._turns.get()) is not None:
            device_id, (callback, message) = turn
            try:
                callback(message)
            finally:
                self._turns.done(device_id)
