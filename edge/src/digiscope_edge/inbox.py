"""What other threads tell the agent: everything that happens to it comes through one queue, in order."""

from dataclasses import dataclass
from typing import TypeAlias

from digiscope_edge.events import Event
from digiscope_edge.ports import Downlink
from digiscope_shared.mqtt.link_status import LinkStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTaken:
    capture_id: str
    part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRefused:
    capture_id: str
    part: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingTaken:
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxGrew:
    """Somebody in this process accepted an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesGiven:
    """All files of the command line went through the intake; end when these captures are settled."""

    capture_ids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An event of the camera or the intake, to be shown and reported."""

    event: Event


Item: TypeAlias = (
    Downlink | LinkStatus | PartTaken | PartRefused | ReadingTaken | OutboxGrew | FilesGiven | Stop | Happened
)
