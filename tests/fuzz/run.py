"""Many inputs through one target, always the same ones for the same seed."""

from collections.abc import Callable
from typing import Final

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz import corpus
from tests.fuzz.tally import Tally
from tests.fuzz.target import Bytes, Target
from tests.fuzz.trial import Trial

# Hypothesis remembers what it drew within a round, and grows slower with it.
ROUND: Final = 500
# A strategy that has no more to offer would be asked for ever.
_MAX_ROUNDS_FACTOR: Final = 20


def run(
    target: Target,
    *,
    seed: int,
    inputs: int,
    attempt: Callable[[Target, bytes], Trial],
    progress: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Try the corpus and then what is drawn, until so many different inputs were tried."""
    tally, seen = Tally(), set[bytes]()

    def take(content: bytes) -> None:
        if content not in seen and tally.inputs < inputs:
            seen.add(content)
            tally.add(content, attempt(target, content))

    for path in corpus.entries(target.name):
        take(path.read_bytes())
    for number in range(_MAX_ROUNDS_FACTOR * (inputs // ROUND + 1)):
        if tally.inputs >= inputs:
            break
        _draw(target.inputs, seed * 1_000_003 + number, take)
        progress(tally)
    return tally


def _draw(inputs: Bytes, seed: int, take: Callable[[bytes], None]) -> None:
    @hypothesis.seed(seed)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def each(content: bytes) -> None:
        take(content)

    each()
