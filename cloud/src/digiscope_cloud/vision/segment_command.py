"""`digiscope-cloud segment`: masks for a folder of pictures, and how well they agree with masks that are there."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import click
import cv2
import numpy as np

from digiscope_cloud.vision.image_files import read_images
from digiscope_cloud.vision.overlap import Overlap, overlap
from digiscope_shared.errors import DigiScopeError, PermanentError
from digiscope_shared.imaging import masks
from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.segmenter_bundle import DEFAULT_BUNDLE, load_segmenter


@dataclass(slots=True)
class Tally:
    written: int = 0
    empty: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    overlaps: list[Overlap] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        figures: dict[str, object] = {"masks": self.written, "no_lesion": self.empty, "refused": self.refused}
        if self.overlaps:
            figures["compared"] = len(self.overlaps)
            figures["mean_dice"] = round(fmean(each.dice for each in self.overlaps), 4)
            figures["mean_jaccard"] = round(fmean(each.jaccard for each in self.overlaps), 4)
        return figures


@click.command()
@click.option("--images", type=click.Path(path_type=Path), required=True, help="A folder or a zip file.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="PNG masks go here.")
@click.option(
    "--masks", "truths", type=click.Path(path_type=Path), help="True masks of the same names, to compare with."
)
@click.option("--bundle", type=click.Path(path_type=Path), default=DEFAULT_BUNDLE, help="Another segmenter.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def segment(images: Path, out: Path, truths: Path | None, bundle: Path, *, as_json: bool) -> None:
    """Write the lesion's mask of each picture, in the picture's size; black where there is no lesion.

    \b
    Examples:
      digiscope-cloud segment --images photos --out masks
      digiscope-cloud segment --images images_200x150.zip --masks masks_200x150.zip --out /tmp/masks
    Exit status 1: a picture was refused.
    """
    cv2.setNumThreads(1)
    try:
        tally = _segment_all(images, out, truths, LiteRtSegmenter(load_segmenter(bundle)))
    except DigiScopeError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(tally.summary()))
    else:
        for name, value in tally.summary().items():
            click.echo(f"{name}: {value}")
        click.echo(DISCLAIMER)
    raise SystemExit(1 if tally.refused else 0)


def _segment_all(images: Path, out: Path, truths: Path | None, segmenter: LiteRtSegmenter) -> Tally:
    true_masks = dict(read_images(truths)) if truths else {}
    out.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    for name, content in read_images(images):
        try:
            mask = _mask_of(content, segmenter)
        except PermanentError as error:
            tally.refused[name] = str(error)
            continue
        (out / f"{name}.png").write_bytes(_png(mask))
        tally.written += 1
        tally.empty += not mask.any()
        if name in true_masks:
            tally.overlaps.append(overlap(mask, _true_mask(true_masks[name], mask)))
    return tally


def _mask_of(content: bytes, segmenter: LiteRtSegmenter) -> masks.Mask:
    image_bgr = decode_bgr(content)
    height, width = image_bgr.shape[:2]
    return masks.lesion_mask(segmenter.segment(image_bgr).probabilities, width=width, height=height)


def _true_mask(content: bytes, like: masks.Mask) -> masks.Mask:
    truth = decode_bgr(content)[..., 0]
    size = (like.shape[1], like.shape[0])
    scaled = truth if truth.shape == like.shape else cv2.resize(truth, size, interpolation=cv2.INTER_LINEAR)
    return np.where(scaled > 127, 255, 0).astype(np.uint8)  # noqa: PLR2004 - half of white


def _png(mask: masks.Mask) -> bytes:
    done, content = cv2.imencode(".png", mask)
    assert done
    return bytes(content)
