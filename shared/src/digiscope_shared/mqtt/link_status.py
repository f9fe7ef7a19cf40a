"""What a session says about its link."""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """`connected` means usable: logged in and subscribed. After `taken-over` and `stopped` nothing follows."""

    CONNECTED = "connected"
    LOST = "lost"
    REFUSED = "refused"
    TAKEN_OVER = "taken-over"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """`session_present` tells, when connected, whether the broker kept what it held for us; `retry_in_s` when not."""

    state: LinkState
    detail: str = ""
    session_present: bool = False
    retry_in_s: float | None = None

    @property
    def fatal(self) -> bool:
        """Tell whether the session has ended for good, against our will."""
        return self.state is LinkState.TAKEN_OVER
