"""The model that a worker serves, checked before it takes a capture."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from digiscope_cloud.worker.analysis import ServedModel
from digiscope_cloud.worker.ports import Classifier
from digiscope_cloud.worker.settings import WorkerSettings
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.lesions import LesionClass
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.model_bundle import load_bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A classifier and what its bundle says of it."""

    model: ServedModel
    labels: tuple[LesionClass, ...]
    input_spec: InputSpec
    classifier: Classifier


def load_serving(settings: WorkerSettings) -> Serving:
    """Load the bundle that the settings name, else the one in the package.

    Raises:
        PermanentError: `bad-bundle`, also for one whose evaluation leaked: it may be shown, never served.
    """
    path = Path(settings.bundle) if settings.bundle else Path(str(files("digiscope_cloud"))) / "bundles" / "classifier"
    bundle = load_bundle(path)
    if bundle.leaky:
        raise PermanentError(
            Reason.BAD_BUNDLE, f"{path}: evaluated under the leaky protocol {bundle.manifest.protocol}"
        )
    classifier = LiteRtClassifier(bundle, threads=1)
    classifier.verify_golden()
    return Serving(
        model=ServedModel(digest=bundle.digest, model_id=bundle.model_id, operating_points=bundle.operating_points),
        labels=bundle.labels,
        input_spec=bundle.input_spec,
        classifier=classifier,
    )
