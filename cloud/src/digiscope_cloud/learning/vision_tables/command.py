"""`digiscope-cloud quality-table`, `likeness-table` and `segmenter-table`: what vision gets right, counted."""

from collections.abc import Mapping
from pathlib import Path

import click
import cv2
from rich.console import Console
from rich.table import Table

from digiscope_cloud.learning.data_option import data_option
from digiscope_cloud.learning.vision_tables import tables
from digiscope_cloud.learning.vision_tables.faults import FAULTS
from digiscope_shared.imaging.quality import QualityThresholds
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.segmenter_bundle import DEFAULT_BUNDLE, load_segmenter

bundle_option = click.option("--bundle", type=click.Path(path_type=Path), default=DEFAULT_BUNDLE)


@click.command("quality-table")
@data_option
@bundle_option
def quality_table(data: Path, bundle: Path) -> None:
    """Count what the quality gate refuses of HAM10000's val part, as it is and with planted faults."""
    cv2.setNumThreads(1)
    rows = tables.quality_rows(LiteRtSegmenter(load_segmenter(bundle)), data, QualityThresholds())
    _print(rows, {name: severity for name, (severity, _) in FAULTS.items()})


@click.command("likeness-table")
@data_option
@bundle_option
def likeness_table(data: Path, bundle: Path) -> None:
    """Count what is refused as no dermoscopic image of a lesion."""
    cv2.setNumThreads(1)
    _print(tables.likeness_rows(LiteRtSegmenter(load_segmenter(bundle)), data, QualityThresholds()), {})


@click.command("segmenter-table")
@data_option
@bundle_option
def segmenter_table(data: Path, bundle: Path) -> None:
    """Compare the served masks of HAM10000's val and cal parts with the published ones, and Otsu's beside them."""
    cv2.setNumThreads(1)
    table = Table("figure", "mean", "95 % interval")
    for name, figure in tables.segmenter_figures(LiteRtSegmenter(load_segmenter(bundle)), data).items():
        table.add_row(name, f"{figure.value:.4f}", f"{figure.low:.4f} to {figure.high:.4f}")
    console = Console()
    console.print(table)
    console.print(DISCLAIMER)


def _print(rows: Mapping[str, tables.Row], severities: Mapping[str, str]) -> None:
    table = Table("pictures", "severity", "number", "refused", "most frequent reasons")
    for name, row in rows.items():
        reasons = ", ".join(f"{reason} {count / row.pictures:.1%}" for reason, count in row.reasons.most_common(4))
        table.add_row(name, severities.get(name, ""), str(row.pictures), f"{row.share:.1%}", reasons)
    console = Console(width=140)
    console.print(table)
    console.print(DISCLAIMER)
