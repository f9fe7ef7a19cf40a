"""`digiscope-edge preview`: aim with the lesion's outline and advice in a browser."""

import time
from collections.abc import Callable

import click
import cv2

from digiscope_edge.adapters.mjpeg_screen import MjpegScreen
from digiscope_edge.adapters.opencv_camera import OpencvCamera, jpeg_encoder
from digiscope_edge.camera_settings import CameraSettings
from digiscope_edge.frame_reader import FrameReader
from digiscope_edge.preview_painter import PreviewPainter
from digiscope_shared.imaging.quality import QualityThresholds
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.segmenter_bundle import DEFAULT_BUNDLE, load_segmenter

_JPEG_QUALITY = 80
_WAIT_S = 0.5


def show_preview(camera: CameraSettings, host: str, port: int) -> int:
    """Serve until Ctrl-C or the camera's end; return the exit status."""
    cv2.setNumThreads(1)
    painter = PreviewPainter(LiteRtSegmenter(load_segmenter(DEFAULT_BUNDLE)), QualityThresholds())
    screen = MjpegScreen(host, port)
    click.echo(f"preview of {camera.source or 'no camera'} on {screen.url}  ({DISCLAIMER})")
    reader = FrameReader(OpencvCamera(camera), clock=time.monotonic)
    reader.start()
    try:
        return paint_all(reader, painter, screen.show)
    except KeyboardInterrupt:
        return 0
    finally:
        reader.abandon()
        screen.close()


def paint_all(reader: FrameReader, painter: PreviewPainter, show: Callable[[bytes], None]) -> int:
    """Paint the newest frame again and again; return 0 at a video's end, 1 where the camera was lost."""
    encode, number = jpeg_encoder(_JPEG_QUALITY), 0
    while True:
        frame = reader.wait_newer(number, _WAIT_S)
        if frame is not None:
            number = frame.number
            show(encode(painter.paint(frame.frame_bgr).picture_bgr))
        elif reader.end is not None:
            end, detail = reader.end
            click.echo(f"the camera {end}: {detail}", err=True)
            return int(end == "lost")
