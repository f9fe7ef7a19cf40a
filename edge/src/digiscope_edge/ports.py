"""What the agent needs of the outside: nouns of ability. Adapters are technology + port, fakes Fake + port."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from digiscope_edge.captures import ConfigMemory, HeldCapture, NewCapture, OutboxLoad, Reconciliation
from digiscope_edge.events import Event
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.lifecycle import CaptureEvent
from digiscope_shared.messages import AnalysisResult, DesiredConfig, Prescreen, TelemetryReading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Height × width × 3, unsigned bytes, blue first, as OpenCV gives it.
    FrameBgr: TypeAlias = NDArray[np.uint8]
else:
    FrameBgr: TypeAlias = Any


class SourceLostError(DigiScopeError):
    """The camera or stream is gone; the watchdog opens it again at a pace."""


class OutboxFullError(DigiScopeError):
    """No room under the byte limit or the disk reserve; nothing that is held was touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceImage:
    """An encoded image as it came, before anything was checked: a file's bytes, or a frame encoded."""

    source: str
    content: bytes


class FrameSource(Protocol):
    """A live camera: local, network stream or video file."""

    @property
    def name(self) -> str: ...

    def open(self) -> None:
        """Open, or open again; SourceLostError where there is nothing to open."""

    def read(self) -> FrameBgr | None:
        """Return the next frame, None at a video file's end; SourceLostError where the camera is gone."""

    def close(self) -> None: ...


class Classifier(Protocol):
    """The on-device prescreen."""

    @property
    def model_digest(self) -> str: ...

    def prescreen(self, image_bgr: FrameBgr) -> Prescreen: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Downlink:
    """One message from the broker. `ack` it only when its effect is on disk."""

    mqtt_topic: str
    envelope: Envelope
    ack: Callable[[], None]


class Uplink(Protocol):
    """The device's one connection. Callbacks come on the adapter's thread and never raise."""

    @property
    def connected(self) -> bool: ...

    @property
    def max_packet_bytes(self) -> int | None:
        """What CONNACK announced; None before, or where the broker sets no limit."""

    def start(self) -> None: ...

    def publish(
        self,
        mqtt_topic: str,
        envelope: Envelope,
        *,
        retain: bool = False,
        on_taken: Callable[[], None] | None = None,
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        """Hand over at QoS 1. The uplink sends it again, over lost links too, until `on_taken` or `on_refused`.

        Raises:
            TransientError: not connected.
            PermanentError: `too-large` for this broker.
        """

    def stop(self, deadline_s: float) -> None:
        """Disconnect in order, within the deadline."""


class Display(Protocol):
    """What a person sees; drawn from events alone."""

    def start(self) -> None: ...

    def show(self, event: Event) -> None:
        """Take an event, on any thread."""

    def stop(self) -> None: ...


class DamagedImageError(DigiScopeError):
    """The image file isn't what was accepted: torn, changed or gone. The row stays, and says so."""


class Outbox(Protocol):
    """The durable queue on the device; every method returns when its effect is on disk. Safe for several threads."""

    def reconcile(self) -> Reconciliation:
        """Compare rows and image files after a start; nothing is dropped."""

    def accept(self, capture: NewCapture) -> HeldCapture:
        """Take custody, with the next sequence number.

        Raises:
            OutboxFullError: nothing that is held was touched, no sequence number is lost.
        """

    def find(self, capture_id: str) -> HeldCapture | None: ...

    def knows_image(self, image_sha256: str) -> bool:
        """Tell whether an image with this content was accepted before."""

    def newer_than(self, sequence: int) -> list[HeldCapture]:
        """Return captures accepted after that one, in order."""

    def last_sequence(self) -> int:
        """Return the number given last; 0 before the first."""

    def open_captures(self, *, after: int = 0) -> list[HeldCapture]:
        """Return what still needs a receipt or a result and has a greater number, in sequence order."""

    def held(self) -> list[HeldCapture]:
        """Return what isn't freed yet, in sequence order."""

    def cut(self, capture_id: str, part_bytes: int) -> None:
        """Fix the size of its parts, once."""

    def read_image(self, capture_id: str) -> bytes:
        """Return the image, checked against its hash; DamagedImageError, noted in the row."""

    def advance(
        self, capture_id: str, event: CaptureEvent, *, reason: str = "", detail: str = ""
    ) -> HeldCapture | None:
        """Step its lifecycle; frees the image where the cloud holds it. None where it isn't known."""

    def answer(self, result: AnalysisResult) -> bool:
        """Keep a result and step the lifecycle; False where it is a repeat, or of an unknown capture."""

    def results(self, capture_id: str) -> list[AnalysisResult]: ...

    def discard(self, capture_id: str) -> bool:
        """Delete the image of a rejected or unreadable capture for good; False where it is neither."""

    def load(self) -> OutboxLoad: ...

    def config(self) -> ConfigMemory: ...

    def keep_config(self, desired: DesiredConfig) -> None: ...

    def keep_config_refusal(self, version: int, detail: str) -> None: ...

    def add_reading(self, reading: TelemetryReading) -> TelemetryReading:
        """Keep a reading, numbered without gaps."""

    def readings(self, *, after: int, limit: int) -> list[TelemetryReading]:
        """Return kept readings with a greater number, in order."""

    def drop_reading(self, sequence: int) -> None: ...

    def change_mark(self) -> int:
        """Return a number that differs after another process has changed something."""

    def close(self) -> None: ...
