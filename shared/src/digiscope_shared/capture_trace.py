"""Where a capture is: who holds the copy and what comes next, told by the furthest step that is known.

The table is the custody table, read backwards: a device's image is freed by nothing but the `stored` receipt.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from digiscope_shared.messages import StepName, TraceStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    holder: str
    next_step: str


_OUTBOX: Final = "the device's outbox"
_BUCKET: Final = "Cloud Storage"
_ORDER: Final = {name: number for number, name in enumerate(StepName)}
# The furthest first.
_STANDINGS: Final = {
    StepName.SHOWN: (f"{_BUCKET} (image, record, result); the device keeps the result", "nothing: it was shown"),
    StepName.UNDELIVERED: (
        f"{_BUCKET} (image, record, result); the message for the device is a dead letter",
        "a person mends what failed and replays the letter; a device that misses its result also asks for it",
    ),
    StepName.ANALYSED: (
        f"{_BUCKET} (image, record, result); the result's message with Pub/Sub, then with the broker",
        "the device shows it, and asks where it didn't come; whether it has, `digiscope-edge trace` knows",
    ),
    StepName.UNANALYSED: (
        f"{_BUCKET} (image, record); the worker's message is a dead letter",
        "a person mends the worker and replays the letter",
    ),
    StepName.RECORDED: (f"{_BUCKET} (image, record); the worker's message with Pub/Sub", "the worker analyses it"),
    StepName.RECEIPT: (
        "the cloud: its `stored` receipt came, and the device freed the image",
        "its result; where that doesn't come, the device asks for it",
    ),
    StepName.DISCARDED: ("nobody: a person discarded the image on the device", "nothing"),
    StepName.UNREADABLE: ("nobody for certain: the image on the device is damaged or gone", "a person looks at it"),
    StepName.REJECTED: (
        f"{_OUTBOX}: the image stays until a person decides",
        "a person mends what refused it and replays its dead letter, or discards it on the device",
    ),
    StepName.REFUSED: (
        f"{_OUTBOX}: the image stays until a person decides; what was refused is a dead letter",
        "a person mends what refused it and replays the letter, or discards it on the device",
    ),
    StepName.IMAGE_STORED: (
        f"{_OUTBOX}, and a copy in {_BUCKET} that doesn't count yet",
        "the bridge publishes it and writes its record; the device sends its last part again until then",
    ),
    StepName.PARTS_STORED: (f"{_OUTBOX}; some parts lie in {_BUCKET}", "the device sends the parts that are missing"),
    StepName.SENT: (f"{_OUTBOX}; parts may wait with the broker", "the bridge stores the parts"),
    StepName.ACCEPTED: (_OUTBOX, "the device sends the first part when it has a link"),
}


def in_order(steps: Iterable[TraceStep]) -> list[TraceStep]:
    """Sort along the way, not by time: a device's clock may be wrong by years."""
    return sorted(steps, key=lambda step: (_ORDER[step.name], step.at))


def standing_of(steps: Iterable[TraceStep]) -> Standing:
    """Return where a capture with these steps is; at least one must have a standing."""
    names = {step.name for step in steps}
    holder, next_step = next(standing for name, standing in _STANDINGS.items() if name in names)
    return Standing(holder=holder, next_step=next_step)
