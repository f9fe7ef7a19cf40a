"""A TCP proxy between a client and a server: it cuts, refuses, stalls, delays and thins, as bad links do."""

import contextlib
import random
import socket
import threading
import time
from types import TracebackType
from typing import Self

CHUNK_BYTES = 16 * 1024
STALL_S = 2.0
ACCEPT_POLL_S = 0.05


class TcpProxy:
    """Forwards loopback connections to `target_port`; its own port stays the same over every fault."""

    def __init__(self, target_port: int, *, rng: random.Random | None = None) -> None:
        self.target_port = target_port
        self.connected_at_s: list[float] = []
        self.forwarded_bytes = 0
        # Set to a bytearray, it keeps what goes through, in both directions.
        self.record: bytearray | None = None
        self._refusing = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        self._closing = threading.Event()
        self._delay_s = 0.0
        self._stall_share = 0.0
        self._bytes_per_s: float | None = None
        self._answer = b""
        self._rng = rng or random.Random()
        self._cut_after_bytes: int | None = None
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(ACCEPT_POLL_S)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="tcp-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._flowing.set()
        self.cut()
        self._thread.join()
        self._listener.close()

    @property
    def connections(self) -> int:
        """Return how often somebody connected, or tried to."""
        return len(self.connected_at_s)

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._sockets) // 2

    def cut(self) -> None:
        """End all connections at once, in the middle of whatever they carry."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut_after(self, forwarded_bytes: int) -> None:
        """Cut once this many more bytes have gone through, both directions counted together."""
        with self._lock:
            self._cut_after_bytes = self.forwarded_bytes + forwarded_bytes

    def refuse(self, answer: bytes = b"") -> None:
        """Cut, and end every new connection as soon as it asked something and got `answer`, until `accept`."""
        self._answer = answer
        self._refusing.set()
        self.cut()

    def accept(self) -> None:
        self._refusing.clear()

    def stall(self) -> None:
        """Keep connections open and let nothing through: the worst of all links."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def delay(self, delay_s: float) -> None:
        """Hold each chunk back for this long, in each direction."""
        self._delay_s = delay_s

    def stumble(self, share: float) -> None:
        """Hold this share of the chunks back for two seconds: what lost packets look like from above."""
        self._stall_share = share

    def thin(self, bits_per_s: float | None) -> None:
        """Let through no more than this in each direction; None: as much as comes."""
        self._bytes_per_s = bits_per_s / 8 if bits_per_s else None

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connected_at_s.append(time.monotonic())
            self._connect_through(client)

    def _connect_through(self, client: socket.socket) -> None:
        if self._refusing.is_set():
            self._turn_away(client)
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
        except OSError:
            client.close()
            return
        for each in (client, server):
            each.settimeout(None)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets |= {client, server}
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink), name="tcp-proxy-pump", daemon=True).start()

    def _turn_away(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(1.0)
            if self._answer and client.recv(CHUNK_BYTES):
                client.sendall(self._answer)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1024 if self._bytes_per_s else CHUNK_BYTES):
                if self.record is not None:
                    self.record += chunk
                self._closing.wait(self._held_s(len(chunk)))
                self._flowing.wait()
                if self._count(len(chunk)):
                    self.cut()
                sink.sendall(chunk)
        with self._lock:
            self._sockets -= {source, sink}
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _held_s(self, chunk_bytes: int) -> float:
        stalled_s = STALL_S if self._rng.random() < self._stall_share else 0.0
        thinned_s = chunk_bytes / self._bytes_per_s if self._bytes_per_s else 0.0
        return self._delay_s + stalled_s + thinned_s

    def _count(self, chunk_bytes: int) -> bool:
        """Count, and tell whether the point of the cut was reached; it is reached once."""
        with self._lock:
            self.forwarded_bytes += chunk_bytes
            due = self._cut_after_bytes is not None and self.forwarded_bytes >= self._cut_after_bytes
            if due:
                self._cut_after_bytes = None
            return due
