"""What a device's image work costs on this machine: the shared functions that its intake calls, timed by themselves."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.imaging.metadata import strip_metadata
from digiscope_shared.imaging.quality import QualityThresholds, assess

# As the device's intake decodes: its gate and prescreen need no more.
AT_LEAST_PX: Final = 300
T = TypeVar("T")


def device_stage_cpu_ms(paths: Sequence[Path]) -> dict[str, float]:
    """Return mean CPU milliseconds an image of each stage."""
    spent_s: dict[str, float] = defaultdict(float)

    def timed(stage: str, work: Callable[[], T]) -> T:
        began_s = time.process_time()
        result = work()
        spent_s[stage] += time.process_time() - began_s
        return result

    for path in paths:
        content = path.read_bytes()
        image_bgr = timed("device decode", lambda: decode_bgr(content, at_least_px=AT_LEAST_PX))  # noqa: B023 called at once
        timed("device quality gate", lambda: assess(image_bgr, QualityThresholds()))  # noqa: B023
        timed("device metadata", lambda: strip_metadata(content))  # noqa: B023
    return {stage: 1e3 * seconds / len(paths) for stage, seconds in spent_s.items()}
