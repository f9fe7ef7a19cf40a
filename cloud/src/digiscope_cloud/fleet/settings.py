"""The fleet service's settings: the cloud's, and its own."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from digiscope_cloud.settings import CloudSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings(CloudSettings):
    threads: Annotated[int, Meta(ge=1)] = 4
    leased_events: Annotated[int, Meta(ge=1)] = 200
    hold_s: Annotated[float, Meta(ge=0)] = 600.0
