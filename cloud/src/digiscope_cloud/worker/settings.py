"""The worker's settings: the cloud's, and its own; a file with the former alone is enough."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from digiscope_cloud.settings import CloudSettings

Positive = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings(CloudSettings):
    """`bundle` is a directory; empty means the bundle in the package."""

    bundle: str = ""
    # Captures leased from Pub/Sub, records of 1 KB. Devices take turns within them: few would let a flood fill them.
    leased_captures: Positive = 500
    # Those of them that are worked on at once, most of their time waiting for storage and Pub/Sub, and of one device:
    # enough to keep the image processes busy, and few, for what comes from another waits behind them.
    threads: Positive = 8
    threads_per_device: Positive = 2
    # Vision is what costs: one process for each core.
    image_processes: Positive = 2
    image_timeout_s: Annotated[float, Meta(gt=0)] = 20.0
    batch_captures: Positive = 64
    # Store what vision found as a picture beside each result.
    overlays: bool = True
    # While storage or Pub/Sub is away a capture is held and tried again, this long, before it is given back.
    hold_s: Annotated[float, Meta(ge=0)] = 600.0
