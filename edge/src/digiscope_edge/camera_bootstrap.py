"""The camera's part of the composition root: settings in, a loop on OpenCV out."""

import time
from collections.abc import Callable

from digiscope_edge.adapters.opencv_camera import OpencvCamera, is_video_file, jpeg_encoder
from digiscope_edge.camera_loop import CameraLoop
from digiscope_edge.camera_settings import CameraSettings
from digiscope_edge.camera_watchdog import CameraWatchdog
from digiscope_edge.events import Event
from digiscope_edge.ports import FrameSource, SourceImage
from digiscope_shared.backoff import Backoff


def camera_loop(
    settings: CameraSettings,
    *,
    on_image: Callable[[SourceImage], None],
    on_event: Callable[[Event], None],
    make_source: Callable[[], FrameSource] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> CameraLoop:
    """Return a loop, not started, on the camera that the settings name."""
    floor_s = min(0.5, settings.restart_base_s)
    watchdog = CameraWatchdog(
        clock=clock,
        frozen_after_s=settings.frozen_after_s,
        identical_is_frozen=not is_video_file(settings.source),
        backoff=Backoff(base_s=settings.restart_base_s, cap_s=settings.restart_cap_s, floor_s=floor_s),
    )
    return CameraLoop(
        settings,
        make_source=make_source or (lambda: OpencvCamera(settings)),
        encode_jpeg=jpeg_encoder(settings.jpeg_quality),
        on_image=on_image,
        on_event=on_event,
        watchdog=watchdog,
        clock=clock,
    )
