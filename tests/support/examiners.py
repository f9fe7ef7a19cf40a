"""What the worker's image processes run in tests: told by the image's first bytes. Picklable by name."""

import os
import time
from functools import partial

import numpy as np

from digiscope_cloud.worker.adapters.image_process import Examine, Image
from digiscope_cloud.worker.ports import Examination
from digiscope_shared.errors import PermanentError, Reason

HANG = b"hang"
CRASH = b"crash"
BUG = b"bug"
UNREADABLE = b"unreadable"


def open_examine(side_px: int = 4) -> Examine:
    return partial(examine, side_px=side_px)


def examine(image: Image, *, side_px: int = 4) -> Examination:
    """Hang, crash, fail or refuse as the content says; else the first byte is every pixel's value."""
    content = image.content
    if content.startswith(HANG):
        time.sleep(600)
    if content.startswith(CRASH):
        os.abort()
    if content.startswith(BUG):
        raise ZeroDivisionError("nobody foresaw this")
    if content.startswith(UNREADABLE):
        raise PermanentError(Reason.UNREADABLE_IMAGE, "no image")
    pixels = np.full((side_px, side_px, 3), content[0], np.float32)
    found = {"first": content[0]} | ({"width_mm": image.frame_width_mm} if image.frame_width_mm else {})
    return Examination(findings={"vision": found}, model_input=pixels, stage_ms={"decode": 0.1})


def cannot_open() -> Examine:
    raise ImportError("no such model")
