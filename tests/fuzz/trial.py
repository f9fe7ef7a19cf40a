"""One input through one target: how it ended, and what it cost."""

import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from digiscope_shared.errors import DigiScopeError, PermanentError
from tests.fuzz.target import Target

ACCEPTED: Final = "accepted"
_CLEAR_REFS: Final = Path("/proc/self/clear_refs")
_STATUS: Final = Path("/proc/self/status")
_RESET_PEAK: Final = "5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`verdict` is `accepted` or why it was refused; `fault` says what broke, empty if nothing did."""

    verdict: str
    fault: str
    spent_ms: float
    grown_mb: float


def attempt(target: Target, content: bytes) -> Trial:
    """Check one input; never raises but for Ctrl-C."""
    verdict, fault = ACCEPTED, ""
    before_mb = _reset_peak_mb()
    began_s = time.process_time()
    try:
        verdict = target.check(content) or ACCEPTED
    except target.refusals as error:
        verdict = _kind(error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever else comes out is what is looked for, panics included
        fault = _place(error)
    spent_ms = (time.process_time() - began_s) * 1e3
    grown_mb = _peak_mb() - before_mb
    if not fault and spent_ms > target.limit_ms:
        fault = f"too slow: over {target.limit_ms:g} ms"
    if not fault and grown_mb > target.limit_mb:
        fault = f"too large: over {target.limit_mb:g} MB"
    return Trial(verdict=verdict, fault=fault, spent_ms=spent_ms, grown_mb=grown_mb)


def _kind(error: DigiScopeError) -> str:
    reason = f" {error.reason}" if isinstance(error, PermanentError) else ""
    return f"{type(error).__name__}{reason}"


def _place(error: BaseException) -> str:
    """Name type and line, of our code where it passed through any: what differs in the text alone is one fault."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((each for each in reversed(frames) if "digiscope_" in each.filename), frames[-1])
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _reset_peak_mb() -> float:
    """Let the kernel forget this process's peak, and return what it holds now."""
    _CLEAR_REFS.write_text(_RESET_PEAK)
    return _peak_mb()


def _peak_mb() -> float:
    status = _STATUS.read_bytes()
    at = status.index(b"VmHWM:") + len(b"VmHWM:")
    return int(status[at : status.index(b"kB", at)]) / 1024
