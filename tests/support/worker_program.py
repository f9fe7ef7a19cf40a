"""The worker on the real cloud adapters, with a model and an examiner that tests steer: `python -m …  SETTINGS`."""

import sys
from pathlib import Path

import numpy as np

from digiscope_cloud.stop_signals import stop_event
from digiscope_cloud.worker.analysis import ServedModel
from digiscope_cloud.worker.bootstrap import Worker
from digiscope_cloud.worker.ports import Floats
from digiscope_cloud.worker.serving import Serving
from digiscope_cloud.worker.settings import WorkerSettings
from digiscope_shared import logs, settings_file
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.lesions import LesionClass
from digiscope_shared.triage import OperatingPoints
from tests.support import examiners

DIGEST = "c" * 64


class FirstPixelClassifier:
    """Melanoma has the probability that the first value says, in 255ths."""

    def probabilities(self, inputs: Floats) -> Floats:
        first = inputs[:, 0, 0, 0] / 255
        return np.stack([first, 1 - first], axis=1)


def steerable_serving() -> Serving:
    return Serving(
        model=ServedModel(
            digest=DIGEST, model_id="first-pixel", operating_points=OperatingPoints(review_from=0.2, refer_from=0.5)
        ),
        labels=(LesionClass.MEL, LesionClass.NV),
        input_spec=InputSpec(height=4, width=4),
        classifier=FirstPixelClassifier(),
    )


def main() -> None:
    logs.configure()
    stopping = stop_event()
    worker = Worker(
        settings_file.load(WorkerSettings, Path(sys.argv[1])),
        serving=steerable_serving(),
        examine_opener=examiners.open_examine,
    )
    worker.start()
    stopping.wait()
    worker.stop()


if __name__ == "__main__":
    main()
