"""`digiscope-cloud train-segmenter`: one command from the published masks to a bundle."""

from pathlib import Path
from typing import Final

import click

from digiscope_cloud.learning.data_option import data_option
from digiscope_shared import settings_file
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.lesions import DISCLAIMER

COMMITTED: Final = Path(__file__).with_name("segmenter.yaml")


@click.command("train-segmenter")
@click.option("--config", "config_path", type=click.Path(path_type=Path, exists=True), default=COMMITTED)
@data_option
@click.option("--run", type=click.Path(path_type=Path), default=Path("runs/segmenter"), show_default=True)
@click.option("--bundle", type=click.Path(path_type=Path), help="Where the bundle goes; default RUN/bundle.")
def train_segmenter(config_path: Path, data: Path, run: Path, bundle: Path | None) -> None:
    """Train the lesion segmenter under grouped-v1, measure it and pack it; interrupted, it goes on where it was.

    \b
    Examples:
      digiscope-cloud train-segmenter
      digiscope-cloud train-segmenter --run runs/segmenter --bundle shared/src/digiscope_shared/bundles/segmenter
    """
    try:
        folder = _train(config_path, data, run, bundle or run / "bundle")
    except DigiScopeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{folder}\n{DISCLAIMER}")


def _train(config_path: Path, data: Path, run: Path, bundle: Path) -> Path:
    # TensorFlow takes seconds to import: --help shouldn't.
    import cv2  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    from digiscope_cloud.learning.segmentation import dataset, packaging, training  # noqa: PLC0415
    from digiscope_cloud.learning.segmentation.settings import SegmentationSettings  # noqa: PLC0415

    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    settings = settings_file.load(SegmentationSettings, config_path)
    run.mkdir(parents=True, exist_ok=True)
    images = dataset.load(data, "train", size=(settings.width, settings.height))
    model = training.train(settings, images, run)
    manifest = packaging.package(model, settings, images, data, bundle)
    for name, metric in manifest.metrics.items():
        click.echo(f"{name}: {metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f})")
    return bundle
