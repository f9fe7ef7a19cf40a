"""Drawn lesions on drawn skin, with known truth: for demos without patients and tests without data."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_shared.imaging.decode import FrameBgr

SKIN_BGR: Final = (165, 185, 222)
LIGHT_BROWN_BGR: Final = (70, 110, 165)
DARK_BROWN_BGR: Final = (35, 55, 95)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomLesion:
    """Truth of one phantom, in pixels and degrees; colours fill equal sectors around the centre."""

    centre_xy: tuple[float, float]
    semi_axes: tuple[float, float]
    angle_deg: float = 0.0
    colours_bgr: tuple[tuple[int, int, int], ...] = (DARK_BROWN_BGR,)
    # Depth of the waves in the border as a share of the radius, and their number around.
    waviness: float = 0.0
    waves: int = 7
    edge_px: float = 2.0


@dataclass(frozen=True, slots=True)
class Phantom:
    image_bgr: FrameBgr
    # 0 or 255
    mask: NDArray[np.uint8]


def draw_lesion(
    lesion: PhantomLesion,
    *,
    width: int = 600,
    height: int = 450,
    skin_bgr: tuple[int, int, int] = SKIN_BGR,
    noise: float = 2.0,
    seed: int = 0,
) -> Phantom:
    """Draw exactly that lesion; `noise` is the standard deviation of the camera's noise in grey levels."""
    rng = np.random.default_rng(seed)
    distance_px, turn = _polar(lesion, width, height)
    alpha = np.clip(0.5 - distance_px / lesion.edge_px, 0, 1)[..., None]
    colours = np.array(lesion.colours_bgr, dtype=np.float32)
    sector = np.minimum((turn * len(colours)).astype(int), len(colours) - 1)
    canvas = np.array(skin_bgr, dtype=np.float32) * (1 - alpha) + colours[sector] * alpha
    canvas += rng.normal(0, noise, canvas.shape)
    image_bgr = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return Phantom(image_bgr, np.where(distance_px <= 0, 255, 0).astype(np.uint8))


def draw_phantom(seed: int, *, width: int = 600, height: int = 450, hairs: int | None = None) -> FrameBgr:
    """Draw a plausible picture: skin tone, lesion, mottling, hairs, vignette and noise all follow from `seed`."""
    return draw_phantom_with_mask(seed, width=width, height=height, hairs=hairs).image_bgr


def draw_phantom_with_mask(seed: int, *, width: int = 600, height: int = 450, hairs: int | None = None) -> Phantom:
    """Draw what `draw_phantom` draws and tell where the lesion is."""
    rng = np.random.default_rng(seed)
    tone = rng.uniform(0.8, 1.08)
    drawn = draw_lesion(
        _plausible_lesion(rng, width, height),
        width=width,
        height=height,
        skin_bgr=_shaded(SKIN_BGR, tone),
        seed=seed,
    )
    mottled = drawn.image_bgr * _mottling(rng, width, height)[..., None] * _vignette(rng, width, height)[..., None]
    image_bgr = np.clip(np.rint(mottled), 0, 255).astype(np.uint8)
    count = int(rng.integers(0, 6)) if hairs is None else hairs
    return Phantom(draw_hairs(image_bgr, count=count, seed=seed), drawn.mask)


def _plausible_lesion(rng: np.random.Generator, width: int, height: int) -> PhantomLesion:
    shade = rng.uniform(0.6, 1.3)
    browns = (LIGHT_BROWN_BGR, DARK_BROWN_BGR)[: rng.integers(1, 3)]
    radius = rng.uniform(0.16, 0.3) * height
    return PhantomLesion(
        centre_xy=(width * rng.uniform(0.42, 0.58), height * rng.uniform(0.42, 0.58)),
        semi_axes=(radius, radius * rng.uniform(0.65, 1.0)),
        angle_deg=rng.uniform(0, 180),
        colours_bgr=tuple(_shaded(brown, shade) for brown in browns),
        waviness=rng.uniform(0, 0.12),
        waves=int(rng.integers(3, 11)),
        edge_px=rng.uniform(3, 14) * height / 450,
    )


def _shaded(colour_bgr: tuple[int, int, int], factor: float) -> tuple[int, int, int]:
    blue, green, red = (int(min(255, channel * factor)) for channel in colour_bgr)
    return blue, green, red


def draw_hairs(image_bgr: FrameBgr, *, count: int, seed: int) -> FrameBgr:
    """Draw that many dark curved hairs from side to side."""
    rng = np.random.default_rng(seed)
    height, width = image_bgr.shape[:2]
    drawn = image_bgr.copy()
    steps = np.linspace(0, 1, 40)[:, None]
    for _ in range(count):
        ends = rng.uniform((-0.1, 0), (1.1, 1), (3, 2)) * (width, height)
        curve = (1 - steps) ** 2 * ends[0] + 2 * steps * (1 - steps) * ends[1] + steps**2 * ends[2]
        thickness = max(1, round(height / 450 * rng.uniform(1.5, 3.5)))
        cv2.polylines(drawn, [np.rint(curve).astype(np.int32)], False, (30, 35, 45), thickness, cv2.LINE_AA)
    return drawn


def _polar(lesion: PhantomLesion, width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the signed distance to the border in pixels (inside < 0) and the turn around the centre, 0 to 1."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = columns - lesion.centre_xy[0], rows - lesion.centre_xy[1]
    angle = np.deg2rad(lesion.angle_deg)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    direction = np.arctan2(across, along)
    major, minor = lesion.semi_axes
    radius = np.hypot(along, across)
    border = 1 / np.sqrt((np.cos(direction) / major) ** 2 + (np.sin(direction) / minor) ** 2)
    border *= 1 + lesion.waviness * np.cos(lesion.waves * direction)
    return radius - border, direction / (2 * np.pi) % 1


def _mottling(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    coarse = rng.normal(1, 0.035, (12, 16)).astype(np.float32)
    fine = rng.normal(0, 0.02, (max(2, height // 6), max(2, width // 6))).astype(np.float32)
    size = (width, height)
    smooth = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth + cv2.resize(fine, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _vignette(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    x, y = np.linspace(-1, 1, width)[None, :], np.linspace(-1, 1, height)[:, None]
    return np.asarray(1 - rng.uniform(0, 0.25) * np.clip(np.hypot(x, y) - 0.5, 0, 1) ** 2, dtype=np.float32)
