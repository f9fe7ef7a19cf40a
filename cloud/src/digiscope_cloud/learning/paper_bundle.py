"""The paper's model as a bundle: `leaky: true`, so that it can be shown and never serve."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from digiscope_cloud.learning.bundle_writer import GoldenData, golden_images, golden_inputs, write_bundle
from digiscope_cloud.learning.datasets.examples import Dataset
from digiscope_cloud.learning.evaluation import evaluate
from digiscope_cloud.learning.litert_export import convert
from digiscope_cloud.learning.model_card import CardFacts, write_card
from digiscope_cloud.learning.networks import paper_cnn
from digiscope_cloud.learning.packaging import rows_digest
from digiscope_cloud.learning.paper_protocol import CODES
from digiscope_cloud.learning.paper_run import SPEC, PaperOutcome
from digiscope_shared.model_bundle import Manifest, ModelBundle
from digiscope_shared.triage import OperatingPoints


def package_paper(outcome: PaperOutcome, dataset: Dataset, folder: Path) -> ModelBundle:
    """Write the bundle; it is uncalibrated, since the paper's protocol has no part to calibrate on."""
    split = outcome.split
    groups = [dataset.examples[row].group for row in split.test_rows]
    parts = np.array(["train"] * len(dataset.examples), object)
    parts[np.setdiff1d(split.test_rows, split.train_rows)] = "test"
    manifest = Manifest(
        id="paper-reproduction",
        files={},
        labels=CODES,
        input_spec=SPEC,
        temperature=1.0,
        operating_points=OperatingPoints(review_from=0.5, refer_from=0.5),
        protocol="paper",
        leaky=True,
        data_digest=rows_digest(dataset.examples, parts.tolist()),
        intended_use="To show what the paper measured. Never to judge a lesion.",
        metrics=evaluate(split.test_codes, outcome.dense_probabilities, CODES, groups, bootstraps=200),
        licence="CC BY-NC 4.0",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        training={
            "network": "paper-cnn",
            "epochs": len(outcome.history["loss"]),
            "batch": 128,
            "optimizer": "Adam",
            "augmented": outcome.augmented,
        },
    )
    flat = convert(outcome.model, SPEC, "float32", None)
    facts = CardFacts(
        parameters=paper_cnn.PARAMETERS,
        model_bytes=len(flat),
        data_name=dataset.name,
        part_sizes={"train": len(split.train_rows), "test": len(split.test_rows)},
        ece_before_temperature=manifest.metrics["ece"].value,
        subgroups=(),
    )
    images = golden_images(SPEC)
    logits: Any = outcome.model.predict_on_batch(golden_inputs(images, SPEC))
    golden = GoldenData(images_bgr=images, logits=np.asarray(logits))
    return write_bundle(folder, manifest, flat, golden, write_card(manifest, facts))
