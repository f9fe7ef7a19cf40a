"""What the agent needs of the outside: nouns of ability. Adapters are technology + port, fakes Fake + port."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from digiscope_edge.events import Event
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.messages import Prescreen

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
    ) -> None:
        """Hand over at QoS 1; `on_taken` when the broker has acknowledged. TransientError where not connected."""

    def stop(self, deadline_s: float) -> None:
        """Disconnect in order, within the deadline."""


class Display(Protocol):
    """What a person sees; drawn from events alone."""

    def start(self) -> None: ...

    def show(self, event: Event) -> None:
        """Take an event, on any thread."""

    def stop(self) -> None: ...
