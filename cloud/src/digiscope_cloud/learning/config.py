"""What a training run is told: a committed YAML file, from which the run follows but for the machine's rounding."""

from dataclasses import dataclass, field
from typing import Literal

from digiscope_shared.input_spec import InputSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Random changes of training images; the values are the widest change, 0 for none."""

    rotation_deg: float = 0.0
    # A factor between 1 / (1 + zoom) and 1 + zoom.
    zoom: float = 0.0
    # Share of the frame's size.
    shift: float = 0.0
    shear: float = 0.0
    flips: bool = False
    # Gain of all channels, gain of each channel, and blend with grey.
    brightness: float = 0.0
    illumination: float = 0.0
    saturation: float = 0.0
    # Side of a square that is painted over, as a share of the frame's height.
    cutout: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    name: Literal["paper-cnn", "efficientnet-lite0"]
    # Of EfficientNet-Lite0: the whole, its first nine blocks, or both trained in one pass, whose mean serves.
    exits: Literal["late", "early", "both"] = "late"
    dropout: float = 0.0
    drop_path: float = 0.0
    # The stem and this many of its blocks stay as they are: a third of the time of a step for three.
    frozen_blocks: int = 0
    # "" for random weights, "imagenet", or the folder of a finished run to go on from.
    start_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Epochs at one input size: small first is cheap, the input spec's own size last."""

    epochs: int
    height: int
    width: int
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """Learn from finished runs' mean logits as well as from the labels."""

    teachers: tuple[str, ...]
    weight: float = 0.7
    temperature: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    id: str
    network: Network
    input: InputSpec
    stages: tuple[Stage, ...]
    seed: int = 1
    learning_rate: float = 1e-3
    warmup_steps: int = 0
    # Cosine from `learning_rate` to this share of it.
    final_rate: float = 0.01
    weight_decay: float = 0.0
    # A class is drawn in proportion to its count to this power: 1 as it comes, 0 all classes alike.
    sampling_power: float = 1.0
    # Logit adjustment (Menon et al. 2021): the loss sees logits + this × log of the drawn classes' shares.
    logit_adjustment: float = 0.0
    label_smoothing: float = 0.0
    # Share of the early exit's loss, half of it from the labels and half from the late exit's answer.
    early_exit: float = 0.5
    # Decay of the averaged weights, which are the ones that count; 0 for none.
    averaging: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    distillation: Distillation | None = None
    # Finished runs, of the same input, whose exits are averaged in where the model serves.
    companions: tuple[str, ...] = ()
    # Mirror images whose logits are averaged where the model serves: so many times the work.
    views: Literal[1, 2, 3, 4] = 1
    # Share of the natural log class frequencies that the served logits get back: 0 favours recall of the rare.
    prior_shift: float = 0.0
    quantisation: Literal["float32", "float16", "int8"] = "float32"
    intended_use: str = ""

    @property
    def epochs(self) -> int:
        return sum(stage.epochs for stage in self.stages)
