"""What each stage of the vision module costs on one core: `python -m digiscope_cloud.vision.bench`."""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Final

import cv2
from rich.console import Console
from rich.table import Table

from digiscope_cloud.vision import abcd, colour, features, shape, texture
from digiscope_cloud.vision.module import VisionModule, examined_size
from digiscope_shared.imaging import masks
from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.imaging.hair import hair_mask, paint_over
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.imaging.quality import QualityThresholds, assess
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.segmenter_bundle import DEFAULT_BUNDLE, load_segmenter

SIZES: Final = ((600, 450), (4000, 3000))
DECODE_AT_LEAST_PX: Final = 450
_REPEATS: Final = 15


def stages(content: bytes) -> Iterable[tuple[str, Callable[[], object]]]:
    """Yield each stage's name and one run of it, and the whole last."""
    module, segmenter = VisionModule(), LiteRtSegmenter(load_segmenter(DEFAULT_BUNDLE))
    decoded = decode_bgr(content, at_least_px=DECODE_AT_LEAST_PX)
    image_bgr = examined_size(decoded)
    height, width = image_bgr.shape[:2]
    probabilities = segmenter.segment(image_bgr).probabilities
    mask = masks.lesion_mask(probabilities, width=width, height=height)
    surface_bgr, surface_mask = features.surface(image_bgr, mask)
    hairs = hair_mask(surface_bgr)
    lab = colour.to_lab(surface_bgr)
    axes, surface_axes = shape.principal_axes(mask), shape.principal_axes(surface_mask)
    outline, colours = shape.describe(mask, axes), colour.describe(lab, surface_mask)
    yield "decode", lambda: decode_bgr(content, at_least_px=DECODE_AT_LEAST_PX)
    yield "scale", lambda: examined_size(decoded)
    yield "segment", lambda: segmenter.segment(image_bgr)
    yield "mask", lambda: masks.lesion_mask(probabilities, width=width, height=height)
    yield "quality", lambda: assess(decoded, QualityThresholds(), mask=mask)
    yield "hair mask", lambda: hair_mask(surface_bgr)
    yield "paint over", lambda: paint_over(surface_bgr, hairs)
    yield "shape", lambda: shape.describe(mask, axes)
    yield "colour", lambda: colour.describe(colour.to_lab(surface_bgr), surface_mask)
    yield "texture", lambda: texture.describe(lab[..., 0], surface_mask)
    yield "ABCD", lambda: abcd.score(lab, surface_mask, surface_axes, outline, colours)
    yield "whole", lambda: module.examine(decode_bgr(content, at_least_px=DECODE_AT_LEAST_PX))


def measure(run: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the least CPU time of a run in ms: other processes don't count."""
    spent = []
    run()
    for _ in range(_REPEATS):
        began_s = time.process_time()
        run()
        spent.append((time.process_time() - began_s) * 1e3)
    return statistics.median(spent), min(spent)


def main() -> None:
    cv2.setNumThreads(1)
    table = Table("stage, CPU ms: median (least)", *(f"{width}×{height}" for width, height in SIZES))
    columns: list[dict[str, str]] = []
    for width, height in SIZES:
        done, content = cv2.imencode(".jpg", draw_phantom(3, width=width, height=height, hairs=6))
        assert done
        figures = {name: measure(run) for name, run in stages(content.tobytes())}
        columns.append({name: f"{median:.1f} ({least:.1f})" for name, (median, least) in figures.items()})
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    Console().print(table)


if __name__ == "__main__":
    main()
