"""A phone's camera app as the agent sees it: MJPEG over HTTP, which can freeze, fall silent, die and come back."""

import contextlib
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import cv2

from digiscope_edge.ports import FrameBgr
from tests.support.fake_frame_source import moving_frame

BOUNDARY = "digiscope-frame"


class MjpegServer:
    """Serves frames of `draw(number)` at `fps` to each client; the port stays the same over `die` and `come_back`."""

    def __init__(self, *, draw: Callable[[int], FrameBgr] = moving_frame, fps: float = 25.0) -> None:
        self._draw = draw
        self._frame_s = 1.0 / fps
        self._dead = threading.Event()
        self._speaks = threading.Event()
        self._speaks.set()
        self._frozen = threading.Event()
        self._cut = threading.Event()
        self._clients: set[socket.socket] = set()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.port = 0
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video"

    def __enter__(self) -> Self:
        self.come_back()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.die()

    def freeze(self) -> None:
        """Go on sending, but always the same picture."""
        self._frozen.set()

    def thaw(self) -> None:
        self._frozen.clear()

    def fall_silent(self) -> None:
        """Keep the connections open and send nothing."""
        self._speaks.clear()

    def speak(self) -> None:
        self._speaks.set()

    def cut_in_a_frame(self) -> None:
        """Send half of the next frame to each client, then end the connection."""
        self._cut.set()

    def die(self) -> None:
        self._dead.set()
        self._speaks.set()
        for client in tuple(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def come_back(self) -> None:
        self._dead.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="mjpeg-server")
        self._thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        serve = self._serve

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
                self.end_headers()
                with contextlib.suppress(OSError):
                    serve(self.connection)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
                """Say nothing: the test's output is for failures."""

        return Handler

    def _serve(self, client: socket.socket) -> None:
        self.connections += 1
        self._clients.add(client)
        number = 0
        try:
            while not self._dead.wait(self._frame_s):
                self._speaks.wait()
                number += not self._frozen.is_set()
                jpeg = cv2.imencode(".jpg", self._draw(number))[1].tobytes()
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                if self._cut.is_set():
                    client.sendall(head.encode() + jpeg[: len(jpeg) // 2])
                    return
                client.sendall(head.encode() + jpeg + b"\r\n")
        finally:
            self._clients.discard(client)
