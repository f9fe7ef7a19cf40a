"""Full-jitter exponential backoff: spreads a fleet's retries, so that two hundred devices don't return at once.

https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import random
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Delays drawn uniformly from 0 to `base_s * 2**attempt`, at most `cap_s`, never under `floor_s`."""

    base_s: float = 1.0
    cap_s: float = 60.0
    floor_s: float = 0.05
    attempt: int = 0
    rng: random.Random = field(default_factory=random.Random, repr=False)

    def next_delay_s(self) -> float:
        ceiling_s = min(self.cap_s, self.base_s * 2.0 ** min(self.attempt, 32))
        self.attempt += 1
        return max(self.floor_s, self.rng.uniform(0, ceiling_s))

    def reset(self) -> None:
        """Forget the failures. Call only after a stable spell, never at the first success."""
        self.attempt = 0
