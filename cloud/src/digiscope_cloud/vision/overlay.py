"""What a person sees of the findings: outline, axes, scale, colours, and where the class hangs on."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_cloud.vision.colour import ANCHORS_RGB, DermoscopicColour
from digiscope_cloud.vision.shape import Axes, outline
from digiscope_cloud.vision.sight import Sight
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.lesions import DISCLAIMER

Floats = NDArray[np.float32]
# The fourth value is the opacity on a transparent layer; on a picture, OpenCV ignores it.
_OUTLINE: Final = (80, 255, 80, 255)
_AXES: Final = (255, 220, 60, 255)
_BLACK: Final = (0, 0, 0, 255)
_WHITE: Final = (255, 255, 255, 255)
_TEXT_BGR: Final = (30, 30, 30)
_PANEL_PX: Final = 450
_STRIP_PX: Final = 74
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def overlay_png(
    sight: Sight, *, heat: Floats | None = None, heat_box: tuple[int, int, int, int] | None = None
) -> bytes:
    """Return a PNG: the marked picture, the class heat map beside it where there is one, and a legend below.

    `heat_box` is what part of the examined picture the model saw: left, top, width, height; default all.
    """
    panels = [marked(sight)]
    if heat is not None:
        panels.append(heated(sight.image_bgr, heat, heat_box))
    row = np.hstack([_panel(panel) for panel in panels])
    done, content = cv2.imencode(".png", np.vstack([row, _legend(sight, row.shape[1])]))
    assert done
    return bytes(content)


def layer_png(sight: Sight) -> bytes:
    """Return a transparent PNG of the examined size to lay over the picture: marks and scores, no pixel of it.

    The class heat map is not in it: it depends on the model, and a capture has one overlay for all models.
    """
    layer = np.zeros((*sight.mask.shape, 4), dtype=np.uint8)
    _draw_marks(layer, sight)
    at = 8
    for colour, share in _shown_colours(sight).items():
        cv2.rectangle(layer, (8, at), (22, at + 14), (*_anchor_bgr(colour), 255), -1)
        _write(layer, f"{colour} {share:.0%}", (28, at + 12))
        at += 20
    for line in filter(None, _legend_lines(sight)):
        _write(layer, line, (8, at + 12))
        at += 16
    done, content = cv2.imencode(".png", layer)
    assert done
    return bytes(content)


def marked(sight: Sight) -> FrameBgr:
    """Draw outline, principal axes and a scale bar on the picture."""
    drawn = sight.image_bgr.copy()
    _draw_marks(drawn, sight)
    return drawn


def _draw_marks(canvas: NDArray[np.uint8], sight: Sight) -> None:
    if sight.features is not None:
        cv2.polylines(canvas, [outline(sight.mask)], True, _OUTLINE, 2, cv2.LINE_AA)
        for start, end in _axis_ends(sight.features.axes):
            cv2.line(canvas, start, end, _AXES, 1, cv2.LINE_AA)
    _draw_scale(canvas, sight.mm_per_px)


def heated(image_bgr: FrameBgr, heat: Floats, box: tuple[int, int, int, int] | None = None) -> FrameBgr:
    """Blend the heat map over the grey picture: red speaks for the class, blue against it."""
    height, width = image_bgr.shape[:2]
    left, top, box_width, box_height = box or (0, 0, width, height)
    strongest = max(float(np.abs(heat).max()), 1e-6)
    smooth = cv2.resize(heat / strongest, (box_width, box_height), interpolation=cv2.INTER_CUBIC)
    signed = np.zeros((height, width, 1), dtype=np.float32)
    signed[top : top + box_height, left : left + box_width, 0] = np.clip(smooth, -1, 1)
    grey = np.repeat(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2).astype(np.float32)
    tint = np.where(signed > 0, np.array([40, 40, 255]), np.array([255, 90, 40])).astype(np.float32)
    weight = 0.65 * np.abs(signed)
    return np.asarray(np.clip(grey * (1 - weight) + tint * weight, 0, 255), dtype=np.uint8)


def _axis_ends(axes: Axes) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    ends = []
    for turn, length in ((0, axes.semi_major_px), (90, axes.semi_minor_px)):
        angle = np.deg2rad(axes.angle_deg + turn)
        reach = length * np.array([np.cos(angle), np.sin(angle)])
        near, far = np.rint(axes.centre_xy - reach).astype(int), np.rint(axes.centre_xy + reach).astype(int)
        ends.append(((int(near[0]), int(near[1])), (int(far[0]), int(far[1]))))
    return ends


def _draw_scale(canvas: NDArray[np.uint8], mm_per_px: float | None) -> None:
    height, width = canvas.shape[:2]
    length = round(width / 6) if mm_per_px is None else max(1, round(1 / mm_per_px))
    label = f"{length} px" if mm_per_px is None else "1 mm"
    start, end = (12, height - 12), (12 + length, height - 12)
    cv2.line(canvas, start, end, _BLACK, 5)
    cv2.line(canvas, start, end, _WHITE, 3)
    _write(canvas, label, (12, height - 20))


def _write(canvas: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    """Write white on black: readable on every skin."""
    cv2.putText(canvas, text, at, _FONT, 0.45, _BLACK, 3, cv2.LINE_AA)
    cv2.putText(canvas, text, at, _FONT, 0.45, _WHITE, 1, cv2.LINE_AA)


def _anchor_bgr(colour: DermoscopicColour) -> tuple[int, int, int]:
    red, green, blue = next(rgb for each, rgb in ANCHORS_RGB if each == colour)
    return blue, green, red


def _panel(image_bgr: FrameBgr) -> FrameBgr:
    scale = _PANEL_PX / image_bgr.shape[0]
    size = (max(160, round(image_bgr.shape[1] * scale)), _PANEL_PX)
    return np.asarray(cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _legend(sight: Sight, width: int) -> FrameBgr:
    strip = np.full((_STRIP_PX, width, 3), 245, dtype=np.uint8)
    lines = _legend_lines(sight)
    for number, line in enumerate(lines):
        cv2.putText(strip, line, (10, 40 + 14 * number), _FONT, 0.4, _TEXT_BGR, 1, cv2.LINE_AA)
    at = 10
    for colour, share in _shown_colours(sight).items():
        cv2.rectangle(strip, (at, 8), (at + 14, 22), _anchor_bgr(colour), -1)
        cv2.rectangle(strip, (at, 8), (at + 14, 22), _TEXT_BGR, 1)
        cv2.putText(strip, f"{colour} {share:.0%}", (at + 19, 20), _FONT, 0.4, _TEXT_BGR, 1, cv2.LINE_AA)
        at += 130
    return strip


def _legend_lines(sight: Sight) -> list[str]:
    advice = "; ".join(failure.advice for failure in sight.quality.failures)
    if sight.features is None:
        return ["no lesion found", advice, DISCLAIMER]
    abcd, shape = sight.features.abcd, sight.features.shape
    score = f"A {abcd.asymmetry}  B {abcd.border}  C {abcd.colours}  TDS {abcd.total_low:.1f} to {abcd.total_high:.1f}"
    return [f"{score} (melanocytic lesions only)  diameter {shape.diameter_px:.0f} px", advice, DISCLAIMER]


def _shown_colours(sight: Sight) -> dict[DermoscopicColour, float]:
    if sight.features is None:
        return {}
    shares = sight.features.colour.shares
    return {colour: shares[colour] for colour in sight.features.colour.present}
