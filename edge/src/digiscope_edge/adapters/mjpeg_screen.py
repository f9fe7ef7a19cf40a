"""Shows pictures in any browser: motion JPEG over HTTP. On the loopback unless told otherwise: it shows patients."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

_BOUNDARY: Final = "digiscope-preview"
# A browser that is gone is noticed by the next write; without a picture, none comes.
_IDLE_S: Final = 5.0


class MjpegScreen:
    """Shows the newest picture to whoever looks; a slow viewer misses pictures and holds nobody up."""

    def __init__(self, host: str, port: int) -> None:
        self._changed = threading.Condition()
        self._jpeg, self._number, self._closed = b"", 0, False
        screen = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                screen._serve(self)

            def log_message(self, *_: object) -> None:
                """Say nothing: a line a picture would drown the terminal."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="mjpeg-screen", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def show(self, jpeg: bytes) -> None:
        with self._changed:
            self._jpeg, self._number = jpeg, self._number + 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        handler.send_header("Cache-Control", "no-store")
        handler.end_headers()
        number = 0
        try:
            while (picture := self._newer(number)) is not None:
                number, jpeg = picture
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                handler.wfile.write(head.encode() + jpeg + b"\r\n")
        except OSError:
            return

    def _newer(self, number: int) -> tuple[int, bytes] | None:
        with self._changed:
            while not self._closed and self._number == number:
                if not self._changed.wait(_IDLE_S):
                    # Send the old one again: so a viewer who left is noticed.
                    break
            return None if self._closed else (self._number, self._jpeg)
