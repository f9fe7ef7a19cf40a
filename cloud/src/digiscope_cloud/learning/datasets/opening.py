"""Any of the data sets that we read, by what the path is."""

from pathlib import Path

from digiscope_cloud.learning.datasets.examples import Dataset
from digiscope_cloud.learning.datasets.ham10000 import METADATA, open_ham10000
from digiscope_cloud.learning.datasets.labelled_folder import open_labelled
from digiscope_cloud.learning.datasets.pixel_tables import open_dermamnist, open_hmnist
from digiscope_shared.errors import SettingsError

_EXPECTED = (
    f"a folder with {METADATA} and images, hmnist_28_28_RGB.csv, dermamnist.npz, "
    "or images with a table of labels (image_id, dx, and lesion_id if there)"
)


def open_dataset(source: Path, labels: Path | None = None, *, part: str = "") -> Dataset:
    """Open HAM10000, a published pixel table, or any images with their table.

    Raises:
        SettingsError: what was expected, and where to get it.
    """
    if labels is not None:
        return open_labelled(source, labels, part=part)
    if not source.exists():
        raise SettingsError(f"{source} is missing; expected {_EXPECTED}")
    if source.suffix == ".npz":
        return open_dermamnist(source)
    if source.suffix == ".csv":
        return open_hmnist(source)
    if source.is_dir():
        return open_ham10000(source)
    raise SettingsError(f"{source}: expected {_EXPECTED}")
