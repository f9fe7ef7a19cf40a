"""What a segmenter's training is told; the committed file is `segmenter.yaml`."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from digiscope_shared.input_spec import InputSpec

Share = Annotated[float, Meta(ge=0, le=0.5)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationSettings:
    """Sizes in pixels; `channels` at 1/2, 1/4, 1/8 and 1/16 of the input."""

    seed: int
    height: int
    width: int
    channels: tuple[int, int, int, int]
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    phantom_share: Share
    empty_share: Share

    @property
    def input_spec(self) -> InputSpec:
        """The whole frame: a lesion at the rim counts too."""
        return InputSpec(height=self.height, width=self.width, crop="whole")
