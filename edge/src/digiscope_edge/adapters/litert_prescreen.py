"""The port Classifier on LiteRT: the same model input and triage as in the cloud."""

import threading
from pathlib import Path

import numpy as np

from digiscope_edge.ports import FrameBgr
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.messages import Prescreen
from digiscope_shared.model_bundle import load_bundle
from digiscope_shared.model_input import build_input
from digiscope_shared.triage import decide


class LiteRtPrescreen:
    """Loads a bundle and checks it on this machine; PermanentError `bad-bundle`. Safe for several threads."""

    def __init__(self, bundle_dir: Path) -> None:
        self._bundle = load_bundle(bundle_dir)
        self._classifier = LiteRtClassifier(self._bundle)
        self._classifier.verify_golden()
        self._lock = threading.Lock()

    @property
    def model_digest(self) -> str:
        return self._bundle.digest

    def prescreen(self, image_bgr: FrameBgr) -> Prescreen:
        inputs = build_input(image_bgr, self._bundle.input_spec)[np.newaxis]
        with self._lock:
            row = self._classifier.probabilities(inputs)[0]
        probabilities = {label: round(float(value), 4) for label, value in zip(self._bundle.labels, row, strict=True)}
        return Prescreen(
            model_digest=self._bundle.digest,
            probabilities=probabilities,
            triage=decide(probabilities, self._bundle.operating_points),
        )
