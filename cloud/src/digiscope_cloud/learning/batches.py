"""Training batches, decided by seed, epoch and number alone, so that a run can go on in the middle of an epoch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from digiscope_cloud.learning.augmentation import augment
from digiscope_cloud.learning.config import Stage, TrainingConfig
from digiscope_cloud.learning.datasets.examples import ImagesBgr
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.model_input import scale_pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """Images, class numbers, and for distillation a teacher's logits, row by row."""

    images_bgr: Sequence[ImagesBgr]
    classes: Any
    teacher_logits: Any | None = None


def drawn_shares(classes: Any, power: float, count: int) -> Any:
    """Return each class's share of what is drawn."""
    counts = np.bincount(classes, minlength=count).astype(np.float64)
    weights = np.where(counts > 0, counts**power, 0.0)
    return weights / weights.sum()


def draw_epoch(classes: Any, power: float, rng: np.random.Generator) -> Any:
    """Return row numbers, as many as there are rows.

    Each class's rows come in shuffled rounds: none comes again before all of its class came.
    """
    size = len(classes)
    shares = drawn_shares(classes, power, int(classes.max()) + 1)
    # Whole numbers that add up to the size; the fraction is drawn.
    takes = np.floor(shares * size).astype(int)
    takes += rng.multinomial(size - takes.sum(), shares)
    rows = [_rounds(np.flatnonzero(classes == number), take, rng) for number, take in enumerate(takes) if take]
    return rng.permutation(np.concatenate(rows))


def batches_of_epoch(
    data: TrainingSet, config: TrainingConfig, stage: Stage, epoch: int, first: int = 0
) -> Iterator[tuple[Any, Any]]:
    """Yield inputs and row numbers, the next batch being made while this one is learnt."""
    order = draw_epoch(data.classes, config.sampling_power, np.random.default_rng((config.seed, epoch)))
    count = len(order) // stage.batch

    def make(number: int) -> tuple[Any, Any]:
        rows = order[number * stage.batch : (number + 1) * stage.batch]
        rng = np.random.default_rng((config.seed, epoch, number))
        views = [augment(data.images_bgr[row], config.augmentation, stage.height, stage.width, rng) for row in rows]
        return scale_pixels(np.stack(views), config.input), rows

    with ThreadPoolExecutor(1, thread_name_prefix="augment") as pool:
        ahead = pool.submit(make, first) if first < count else None
        for number in range(first, count):
            assert ahead is not None
            made = ahead.result()
            ahead = pool.submit(make, number + 1) if number + 1 < count else None
            yield made


def steps_in_epoch(rows: int, stage: Stage) -> int:
    return rows // stage.batch


def stage_spec(spec: InputSpec, stage: Stage) -> InputSpec:
    return InputSpec(
        height=stage.height,
        width=stage.width,
        crop=spec.crop,
        colour_order=spec.colour_order,
        scale=spec.scale,
        offset=spec.offset,
    )


def _rounds(rows: Any, take: int, rng: np.random.Generator) -> Any:
    rounds = -(-take // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:take]
