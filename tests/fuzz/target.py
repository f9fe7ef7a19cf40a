"""What a fuzz target is."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from digiscope_shared.errors import DigiScopeError, PermanentError

Bytes = st.SearchStrategy[bytes]
# Takes one input, asserts what must hold, and returns why it was refused; None where it was accepted.
Check = Callable[[bytes], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`inputs` are checked with `check`, which may raise `refusals` and nothing else, within time and memory.

    `limit_ms` is the process's own time, so that a busy machine breaks no bound; `weight` its share of a run.
    """

    name: str
    inputs: Bytes
    check: Check
    refusals: tuple[type[DigiScopeError], ...] = (PermanentError,)
    limit_ms: float = 500
    limit_mb: float = 32
    weight: int = 5
