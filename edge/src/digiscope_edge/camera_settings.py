"""What the camera side is told at start; part of the agent's settings file."""

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadySettings:
    """Capture when the hand holds still. `threshold` is a mean absolute difference in grey levels, 0 to 255."""

    enabled: bool = False
    threshold: Annotated[float, Meta(gt=0, le=255)] = 3.0
    # Above `threshold`, so that noise at the edge doesn't fire twice at one lesion.
    movement: Annotated[float, Meta(gt=0, le=255)] = 9.0
    steady_s: Seconds = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """`source` is a camera's number, an http(s) or rtsp(s) URL, a video file's path, or empty for no camera."""

    source: str = ""
    jpeg_quality: Annotated[int, Meta(ge=50, le=100)] = 95
    # 0: whatever the camera offers first.
    width_px: Annotated[int, Meta(ge=0)] = 0
    height_px: Annotated[int, Meta(ge=0)] = 0
    open_timeout_s: Seconds = 10.0
    read_timeout_s: Seconds = 5.0
    frozen_after_s: Seconds = 10.0
    # A capture that was asked for and got no fresh frame in this time is refused, visibly.
    capture_timeout_s: Seconds = 15.0
    # The camera sleeps when nobody asked for so long; 0 keeps it awake.
    sleep_after_s: Annotated[float, Meta(ge=0)] = 0.0
    restart_base_s: Seconds = 1.0
    restart_cap_s: Seconds = 60.0
    steady: SteadySettings = field(default_factory=SteadySettings)
