"""What image work and inference cost on this machine: the shared functions, timed by themselves, in CPU time.

Inside the running processes a stage's elapsed time also counts its waiting for a core.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.imaging.metadata import strip_metadata
from digiscope_shared.imaging.quality import QualityThresholds, assess
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.model_bundle import load_bundle
from digiscope_shared.model_input import build_input

# As the device's intake decodes: its gate and prescreen need no more.
AT_LEAST_PX: Final = 300
T = TypeVar("T")


def stage_cpu_ms(paths: Sequence[Path]) -> dict[str, float]:
    """Return mean CPU milliseconds an image, by stage; the worker's vision runs in processes that are metered whole."""
    spent_s: dict[str, float] = defaultdict(float)

    def timed(stage: str, work: Callable[[], T]) -> T:
        began_s = time.process_time()
        result = work()
        spent_s[stage] += time.process_time() - began_s
        return result

    prescreen = _prober("digiscope_edge", "prescreen")
    classifier = _prober("digiscope_cloud", "classifier")
    for path in paths:
        content = path.read_bytes()
        image_bgr = timed("device decode", lambda: decode_bgr(content, at_least_px=AT_LEAST_PX))  # noqa: B023 called at once
        timed("device quality gate", lambda: assess(image_bgr, QualityThresholds()))  # noqa: B023
        timed("device metadata", lambda: strip_metadata(content))  # noqa: B023
        timed("device prescreen", lambda: prescreen(image_bgr))  # noqa: B023
        timed("worker inference", lambda: classifier(image_bgr))  # noqa: B023
    return {stage: 1e3 * seconds / len(paths) for stage, seconds in spent_s.items()}


def _prober(package: str, bundle_name: str) -> Callable[[Any], object]:
    """Return what asks that package's model about an image; found as files, because cloud never imports edge."""
    spec = find_spec(package)
    assert spec is not None, package
    assert spec.submodule_search_locations is not None, package
    bundle = load_bundle(Path(spec.submodule_search_locations[0]) / "bundles" / bundle_name)
    model = LiteRtClassifier(bundle)
    return lambda image_bgr: model.probabilities(build_input(image_bgr, bundle.input_spec)[np.newaxis])
