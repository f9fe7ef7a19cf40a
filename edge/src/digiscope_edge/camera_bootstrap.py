"""Where images come from, the camera side's part of the composition root: a camera's loop, a watched folder."""

import time
from collections.abc import Callable
from pathlib import Path

from digiscope_edge.adapters.opencv_camera import OpencvCamera, is_video_file, jpeg_encoder
from digiscope_edge.adapters.watched_folder import FolderOutcome, WatchedFolder
from digiscope_edge.camera_loop import CameraLoop
from digiscope_edge.camera_settings import CameraSettings
from digiscope_edge.camera_watchdog import CameraWatchdog
from digiscope_edge.events import CaptureRefused, Event
from digiscope_edge.intake import OUTBOX_FULL, Intake
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


def into(intake: Intake, on_event: Callable[[Event], None]) -> Callable[[SourceImage], None]:
    """Return what a camera hands its images to: the intake, whose refusals are shown."""

    def take(image: SourceImage) -> None:
        outcome = intake.take(image)
        if isinstance(outcome, CaptureRefused):
            on_event(outcome)

    return take


def watched_folder(folder: Path, intake: Intake, on_event: Callable[[Event], None]) -> WatchedFolder:
    """Return a watch, not started. A full outbox refuses no file: it waits where it is."""

    def take(image: SourceImage) -> FolderOutcome:
        outcome = intake.take(image)
        if not isinstance(outcome, CaptureRefused):
            return FolderOutcome.TAKEN
        if outcome.reason == OUTBOX_FULL:
            return FolderOutcome.LATER
        on_event(outcome)
        return FolderOutcome.REFUSED

    return WatchedFolder(folder, take=take, was_taken=intake.was_taken)
