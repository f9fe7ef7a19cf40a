"""What became of a target's inputs."""

from collections import Counter
from dataclasses import dataclass, field

from tests.fuzz.trial import Trial


@dataclass(slots=True, kw_only=True)
class Tally:
    """`faults` maps each to the shortest input that showed it."""

    inputs: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    peak_mb: float = 0.0
    faults: dict[str, bytes] = field(default_factory=dict)

    def add(self, content: bytes, trial: Trial) -> None:
        self.inputs += 1
        self.slowest_ms = max(self.slowest_ms, trial.spent_ms)
        self.peak_mb = max(self.peak_mb, trial.grown_mb)
        if not trial.fault:
            self.verdicts[trial.verdict] += 1
        elif len(content) < len(self.faults.get(trial.fault, content + b"?")):
            self.faults[trial.fault] = content
