"""What runs in a child process: images in over a pipe, examinations out, one at a time."""

import signal
import time
import traceback as tracebacks
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from digiscope_cloud.worker.ports import Examination
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.input_spec import InputSpec

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class Image(NamedTuple):
    """What goes down the pipe: the encoded image, and what its optics show from left to right, where known."""

    content: bytes
    frame_width_mm: float | None = None


Examine = Callable[[Image], Examination]
# HAM10000 is 600×450: a larger image is decoded no finer than the model and the findings were made for.
DECODE_AT_LEAST_PX: Final = 450


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why there is no examination; `traceback` only where nobody foresaw it."""

    reason: Reason
    detail: str
    traceback: str = ""


def serve(connection: "Connection[object, Image]", open_examine: Callable[[], Examine], limit_s: float) -> None:
    """Answer until the parent closes the pipe."""
    # A Ctrl-C reaches the whole process group; the parent decides when we end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The kernel ends us when the alarm rings, even deep in C code, and even when the parent was killed meanwhile.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    examine = open_examine()
    try:
        connection.send(None)
        while True:
            image = connection.recv()
            signal.setitimer(signal.ITIMER_REAL, limit_s)
            reply = _answer(examine, image)
            signal.setitimer(signal.ITIMER_REAL, 0)
            connection.send(reply)
    except (EOFError, ConnectionError):
        return


def _answer(examine: Examine, image: Image) -> Examination | Failed:
    try:
        return examine(image)
    except PermanentError as error:
        return Failed(reason=error.reason, detail=error.detail)
    except Exception as error:  # noqa: BLE001, an image that finds a bug gets an answer too, and the traceback is logged
        detail = f"{type(error).__name__}: {error}"
        return Failed(reason=Reason.UNREADABLE_IMAGE, detail=detail, traceback=tracebacks.format_exc())


def open_examine(spec: InputSpec, *, overlays: bool = False) -> Examine:
    """Load what examines images; called once in each child."""
    import cv2  # noqa: PLC0415, the parent process needs none of these

    from digiscope_cloud.vision.findings import findings  # noqa: PLC0415
    from digiscope_cloud.vision.module import VisionModule  # noqa: PLC0415
    from digiscope_cloud.vision.overlay import layer_png  # noqa: PLC0415
    from digiscope_shared.imaging.decode import decode_bgr  # noqa: PLC0415
    from digiscope_shared.model_input import build_input  # noqa: PLC0415

    # One process for each core already: threads inside would only fight.
    cv2.setNumThreads(1)
    module = VisionModule()

    def examine(image: Image) -> Examination:
        began_s = time.perf_counter()
        image_bgr = decode_bgr(image.content, at_least_px=max(DECODE_AT_LEAST_PX, spec.height, spec.width))
        decoded_s = time.perf_counter()
        sight = module.look(image_bgr, image.frame_width_mm)
        found = findings(sight)
        examined_s = time.perf_counter()
        model_input = build_input(image_bgr, spec)
        built_s = time.perf_counter()
        stage_ms = {
            "decode": (decoded_s - began_s) * 1e3,
            "vision": (examined_s - decoded_s) * 1e3,
            "input": (built_s - examined_s) * 1e3,
        }
        overlay = b""
        if overlays:
            overlay = layer_png(sight)
            stage_ms["overlay"] = (time.perf_counter() - built_s) * 1e3
        return Examination(findings={"vision": found}, model_input=model_input, stage_ms=stage_ms, overlay_png=overlay)

    return examine
