"""What every cloud process is told at start: where its project and bucket are.

The emulators are found as Google's own libraries find them: PUBSUB_EMULATOR_HOST and STORAGE_EMULATOR_HOST.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSettings:
    project: str
    bucket: str
    # Where a bucket is made: a region or multi-region of Cloud Storage. Health data of Europe stays there.
    location: str = "EU"
