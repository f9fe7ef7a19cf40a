"""Every target, by name."""

from typing import Final

from tests.fuzz.target import Target
from tests.fuzz.targets import bridge, bundles, configs, images, messages, packets, trust

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for module in (messages, packets, bridge, configs, trust, bundles, images)
    for target in module.TARGETS
}
