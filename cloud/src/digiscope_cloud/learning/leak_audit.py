"""Does a test part show what was trained on? Exact copies, near copies, shared groups; pure."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from digiscope_cloud.learning.datasets.examples import ImagesBgr

# Bits of 64 in which two pictures of one scene may differ.
NEAR_BITS: Final = 4
_HASH_PX: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of somebody's split."""

    image: str
    group: str
    part: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """SHA-256 of the decoded pixels, and 64 bits that survive scaling and compression."""

    exact: str
    perceptual: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """Held-out rows with a twin in training, each with an example of it."""

    held_out: int
    copies: dict[str, str]
    near_copies: dict[str, str]
    shared_groups: dict[str, str]

    @property
    def leaks(self) -> bool:
        return bool(self.copies or self.near_copies or self.shared_groups)


def fingerprint(image_bgr: ImagesBgr) -> Fingerprint:
    exact = hashlib.sha256(repr(image_bgr.shape).encode() + image_bgr.tobytes()).hexdigest()
    return Fingerprint(exact=exact, perceptual=_perceptual_hash(image_bgr))


def audit(rows: Sequence[Row], fingerprints: Sequence[Fingerprint], *, train_part: str = "train") -> Leaks:
    """Compare every row outside of `train_part` with those in it."""
    trained = [number for number, row in enumerate(rows) if row.part == train_part]
    held_out = [number for number, row in enumerate(rows) if row.part != train_part]
    by_exact = {fingerprints[number].exact: rows[number].image for number in trained}
    by_group = {rows[number].group: rows[number].image for number in trained if rows[number].group}
    copies = {
        rows[number].image: by_exact[fingerprints[number].exact]
        for number in held_out
        if fingerprints[number].exact in by_exact
    }
    shared = {rows[number].image: by_group[rows[number].group] for number in held_out if rows[number].group in by_group}
    candidates = [number for number in held_out if rows[number].image not in copies]
    near = _near(candidates, trained, fingerprints)
    return Leaks(
        held_out=len(held_out),
        copies=copies,
        near_copies={rows[number].image: rows[twin].image for number, twin in near.items()},
        shared_groups=shared,
    )


def _near(candidates: Sequence[int], trained: Sequence[int], fingerprints: Sequence[Fingerprint]) -> dict[int, int]:
    """Return candidate to twin: two hashes within four bits share one of five pieces, so only those are compared."""
    pieces: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number in trained:
        for key in _pieces(fingerprints[number].perceptual):
            pieces[key].append(number)
    found = {}
    for number in candidates:
        mine = fingerprints[number].perceptual
        possible = {twin for key in _pieces(mine) for twin in pieces.get(key, ())}
        twin = min(possible, key=lambda other: (mine ^ fingerprints[other].perceptual).bit_count(), default=None)
        if twin is not None and (mine ^ fingerprints[twin].perceptual).bit_count() <= NEAR_BITS:
            found[number] = twin
    return found


def _pieces(perceptual: int) -> list[tuple[int, int]]:
    width = 13  # Five pieces of 64 bits.
    return [(place, perceptual >> place & (1 << width) - 1) for place in range(0, 64, width)]


def _perceptual_hash(image_bgr: ImagesBgr) -> int:
    """Return the signs of the 64 lowest cosine frequencies against their median (Zauner 2010)."""
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    side = 4 * _HASH_PX
    small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    low: Any = cv2.dct(small)[:_HASH_PX, :_HASH_PX].ravel()
    bits = low > np.median(low[1:])
    return int(np.packbits(bits).tobytes().hex(), 16)
