"""The worker's two stages. Each is called from many threads at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from digiscope_shared.lesions import LesionClass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
else:
    Floats: TypeAlias = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What the vision stage leaves of an image: findings, and the model's input (height × width × 3).

    `overlay_png` shows the findings on the image; empty where none is wanted.
    """

    findings: dict[str, Any]
    model_input: Floats
    stage_ms: dict[str, float] = field(default_factory=dict)
    overlay_png: bytes = b""


class VisionStage(Protocol):
    """Bytes to findings and model input."""

    def examine(self, content: bytes, frame_width_mm: float | None = None) -> Examination:
        """Raise PermanentError where the image can't be judged, TOO_SLOW among the reasons.

        `frame_width_mm`: what the optics show from left to right, where known.
        """

    def close(self) -> None: ...


class CnnStage(Protocol):
    """Model input to probabilities."""

    def classify(self, model_input: Floats) -> Mapping[LesionClass, float]: ...

    def close(self) -> None: ...


class Classifier(Protocol):
    """A model on one thread: N × height × width × 3 to N × classes."""

    def probabilities(self, inputs: Floats) -> Floats: ...
