"""`digiscope-cloud inspect`: one picture through vision and classifier, without any broker."""

import json
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import click
import cv2

from digiscope_cloud.vision.findings import findings
from digiscope_cloud.vision.module import VisionModule
from digiscope_cloud.vision.occlusion import heat_map
from digiscope_cloud.vision.overlay import overlay_png
from digiscope_cloud.vision.sight import Sight
from digiscope_cloud.vision.summary import report
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.imaging.decode import FrameBgr, decode_bgr
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.model_bundle import load_bundle
from digiscope_shared.model_input import build_input

CLASSIFIER: Final = Path(str(files("digiscope_cloud"))) / "bundles" / "classifier"
DECODE_AT_LEAST_PX: Final = 450


@click.command("inspect")
@click.argument("image", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON, for machines.")
@click.option("--overlay", type=click.Path(path_type=Path, dir_okay=False), help="Write overlay.png there.")
@click.option("--open", "and_open", is_flag=True, help="Show the overlay in the system's viewer.")
@click.option("--frame-width-mm", type=float, help="What the optics show from left to right, for millimetres.")
@click.option("--bundle", type=click.Path(path_type=Path), default=CLASSIFIER, help="Another classifier.")
def inspect_image(
    image: Path, overlay: Path | None, frame_width_mm: float | None, bundle: Path, *, as_json: bool, and_open: bool
) -> None:
    """Say all that DigiScope sees in one picture.

    \b
    Examples:
      digiscope-cloud inspect lesion.jpg
      digiscope-cloud inspect lesion.jpg --overlay overlay.png --frame-width-mm 12
      digiscope-cloud inspect lesion.jpg --json
    Exit status 1: the picture can't be judged; the reason is on stderr.
    """
    cv2.setNumThreads(1)
    try:
        image_bgr = decode_bgr(image.read_bytes(), at_least_px=DECODE_AT_LEAST_PX)
        sight = VisionModule().look(image_bgr, frame_width_mm)
        classifier = LiteRtClassifier(load_bundle(bundle))
        probabilities = _probabilities(classifier, image_bgr)
    except (OSError, DigiScopeError) as error:
        raise click.ClickException(f"{image}: {error}") from error
    if overlay or and_open:
        target = overlay or Path(tempfile.mkdtemp()) / "overlay.png"
        target.write_bytes(_overlay(sight, classifier, image_bgr, probabilities))
        if and_open:
            click.launch(str(target))
        click.echo(f"overlay: {target}", err=True)
    found = {"vision": findings(sight), "probabilities": probabilities, "model_digest": classifier.digest}
    if as_json:
        click.echo(json.dumps({**found, "disclaimer": DISCLAIMER}, indent=1))
    else:
        _print(found)


def _probabilities(classifier: LiteRtClassifier, image_bgr: FrameBgr) -> dict[str, float]:
    row = classifier.probabilities(build_input(image_bgr, classifier.bundle.input_spec)[None])[0]
    return {str(label): round(float(value), 4) for label, value in zip(classifier.bundle.labels, row, strict=True)}


def _overlay(sight: Sight, classifier: LiteRtClassifier, image_bgr: FrameBgr, probabilities: dict[str, float]) -> bytes:
    spec = classifier.bundle.input_spec
    class_index = list(probabilities).index(max(probabilities, key=lambda label: probabilities[label]))
    heat = heat_map(classifier.probabilities, build_input(image_bgr, spec), class_index)
    return overlay_png(sight, heat=heat, heat_box=seen_box(sight.image_bgr, spec))


def seen_box(image_bgr: FrameBgr, spec: InputSpec) -> tuple[int, int, int, int]:
    """Return which part of the picture the model sees: left, top, width, height."""
    height, width = image_bgr.shape[:2]
    if spec.crop == "whole":
        return 0, 0, width, height
    aspect = spec.width / spec.height
    seen_width, seen_height = min(width, round(height * aspect)), min(height, round(width / aspect))
    return (width - seen_width) // 2, (height - seen_height) // 2, seen_width, seen_height


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - machines don't need it

    console = Console()
    ranked = sorted(found["probabilities"].items(), key=lambda pair: -pair[1])
    console.print("  ".join(f"{label} {value:.3f}" for label, value in ranked))
    console.print(found["vision"]["summary"])
    console.print(report(found["vision"]))
    console.print(DISCLAIMER)
