"""The paper's protocol, kept to reproduce it: oversample first, split afterwards. It leaks; no model of it may serve.

The paper's seven test supports come out of the metadata alone, which shows that this is its split: oversampling as
imbalanced-learn's RandomOverSampler does it (the rows as published, then each class's draws in code order), then
scikit-learn's `train_test_split(test_size=0.2, random_state=1)`, not stratified.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sklearn.model_selection import train_test_split

from digiscope_cloud.learning.datasets.examples import Example
from digiscope_shared.lesions import LesionClass

# The codes of the published 28 × 28 tables. Table 4 prints the names in another order.
CODES: Final = (
    LesionClass.AKIEC,
    LesionClass.BCC,
    LesionClass.BKL,
    LesionClass.DF,
    LesionClass.NV,
    LesionClass.VASC,
    LesionClass.MEL,
)
SUPPORTS: Final = (1359, 1318, 1262, 1351, 1374, 1358, 1365)
SPLIT_SEED: Final = 1
TEST_SHARE: Final = 0.2
# Which rows the paper drew is not known, and its figures don't depend on it.
_OVERSAMPLING_SEED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSplit:
    """Row numbers of the published table, with repeats, and the codes of the test rows."""

    train_rows: Any
    test_rows: Any
    train_codes: Any
    test_codes: Any

    @property
    def supports(self) -> tuple[int, ...]:
        return tuple(int(count) for count in np.bincount(self.test_codes, minlength=len(CODES)))


def paper_split(examples: Sequence[Example]) -> PaperSplit:
    """Return the paper's split of the published rows."""
    codes = np.array([CODES.index(example.lesion_class) for example in examples])
    rows = oversample(codes, np.random.default_rng(_OVERSAMPLING_SEED))
    train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=SPLIT_SEED)
    return PaperSplit(train_rows=train, test_rows=test, train_codes=codes[train], test_codes=codes[test])


def oversample(codes: Any, rng: np.random.Generator) -> Any:
    """Return row numbers: all rows as they come, then each class filled up to the largest."""
    counts = np.bincount(codes)
    fills = [rng.choice(np.flatnonzero(codes == code), counts.max() - count) for code, count in enumerate(counts)]
    return np.concatenate([np.arange(len(codes)), *fills])
