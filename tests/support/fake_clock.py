"""A clock that moves when the test says so."""

from dataclasses import dataclass


@dataclass(slots=True)
class FakeClock:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
