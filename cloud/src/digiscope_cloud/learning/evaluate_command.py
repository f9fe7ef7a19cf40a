"""`digiscope-cloud evaluate`: a bundle's figures on anybody's labelled images."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from digiscope_cloud.learning.bundle_scoring import Scores, score
from digiscope_cloud.learning.datasets.labelled_folder import open_labelled
from digiscope_cloud.learning.evaluation import evaluate
from digiscope_shared.errors import PermanentError, SettingsError
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.model_bundle import Estimate, ModelBundle, load_bundle


@click.command("evaluate")
@click.option("--model", type=click.Path(path_type=Path), required=True, help="A bundle's folder.")
@click.option("--images", type=click.Path(path_type=Path), required=True, help="Folder or zip file; any size of image.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    required=True,
    help="CSV: image_id, dx, and lesion_id if several images show one lesion.",
)
@click.option("--part", default="", help="Only the rows that have this in a column 'part'.")
@click.option("--json", "as_json", is_flag=True, help="For machines; the keys are stable.")
def evaluate_command(model: Path, images: Path, labels: Path, part: str, as_json: bool) -> None:  # noqa: FBT001, a flag
    """Measure a bundle as it serves, with 95 % intervals from bootstraps over lesions.

    Exit code 0 when measured, 1 when the bundle is bad or no image can be read, 2 for wrong input.

    \b
    Examples:
      digiscope-cloud evaluate --model bundle --images images.zip --labels labels.csv
      digiscope-cloud evaluate --model bundle --images images.zip --labels grouped_v1.csv --part test --json
    """
    try:
        bundle = load_bundle(model)
        dataset = open_labelled(images, labels, part=part)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except PermanentError as error:
        raise click.ClickException(str(error)) from error
    scores = score(bundle, dataset)
    if not scores.examples:
        raise click.ClickException(f"none of the {len(scores.unreadable)} images could be read")
    figures = evaluate(scores.classes, scores.probabilities, bundle.labels, scores.groups)
    click.echo(json.dumps(report(bundle, scores, figures)) if as_json else _table(bundle, scores, figures))


def report(bundle: ModelBundle, scores: Scores, figures: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return the stable keys: each figure under its name, and recall by class under `recall`."""
    values: dict[str, Any] = {name: msgspec.to_builtins(estimate) for name, estimate in figures.items()}
    recall = {name.removeprefix("recall."): values.pop(name) for name in list(values) if name.startswith("recall.")}
    return {
        "model_id": bundle.model_id,
        "model_digest": bundle.digest,
        "images": len(scores.examples),
        "lesions": len(set(scores.groups)),
        "unreadable": list(scores.unreadable),
        "disclaimer": DISCLAIMER,
        "recall": recall,
        **values,
    }


def _table(bundle: ModelBundle, scores: Scores, figures: Mapping[str, Estimate]) -> str:
    lines = [
        f"{bundle.model_id} {bundle.digest[:12]}: {len(scores.examples)} images of {len(set(scores.groups))} lesions",
        *(f"{name:42s} {e.value:7.4f}  ({e.low:.4f} to {e.high:.4f})" for name, e in figures.items()),
    ]
    if scores.unreadable:
        lines.append(f"left out as unreadable: {len(scores.unreadable)}: {', '.join(scores.unreadable[:10])}")
    return "\n".join([*lines, DISCLAIMER])
