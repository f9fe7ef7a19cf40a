"""How rows are parted: `grouped-v1`, honest and the default, from the metadata alone."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from digiscope_cloud.learning.datasets.examples import Example


class Part(StrEnum):
    TRAIN = "train"
    VAL = "val"
    CAL = "cal"
    TEST = "test"


FOLDS: Final = 5
# Upper ends of the parts, in tenths of a class's groups.
_CUTS: Final = ((6, Part.TRAIN), (7, Part.VAL), (8, Part.CAL), (10, Part.TEST))


def grouped_v1(examples: Sequence[Example]) -> list[tuple[Part, int]]:
    """Return part and fold of each row: each class's groups by hash, cut 60/10/10/20, fold = rank mod 5."""
    class_of_group = {example.group: example.lesion_class for example in examples}
    groups_of_class = defaultdict(list)
    for group, lesion_class in class_of_group.items():
        groups_of_class[lesion_class].append(group)
    place = {}
    for groups in groups_of_class.values():
        for rank, group in enumerate(sorted(groups, key=_hash)):
            place[group] = (_part(rank, len(groups)), rank % FOLDS)
    return [place[example.group] for example in examples]


def _hash(group: str) -> str:
    return hashlib.sha256(f"digiscope-grouped-v1:{group}".encode()).hexdigest()


def _part(rank: int, count: int) -> Part:
    return next(part for tenths, part in _CUTS if rank < round(count * tenths / 10))
