"""The model card, made from the run: what it was trained on, what it can and can't do, figures with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from digiscope_shared.lesions import DISCLAIMER, FULL_NAME
from digiscope_shared.model_bundle import Estimate, Manifest

LICENCE: Final = (
    "Weights: trained on HAM10000 (Tschandl, Rosendahl, Kittler, Sci. Data 5:180161, 2018; CC BY-NC 4.0): "
    "non-commercial use with attribution."
)
_LIMITS: Final = (
    "Dermatoscopic images only; phone photographs without a dermatoscope were never seen.",
    "HAM10000 comes from two sites (Vienna, Queensland) and mostly from light skin: expect worse elsewhere.",
    "Seven classes only: squamous cell carcinoma, infections and everything else get a wrong label, not a warning.",
    "Labels rest on histology for 53 % of the images (37 % of the nevi), else on follow-up, consensus or confocal.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """One subgroup's figures on the test part; `malignant_auroc` is None where one side is missing."""

    name: str
    images: int
    balanced_accuracy: float
    malignant_auroc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    parameters: int
    model_bytes: int
    data_name: str
    part_sizes: Mapping[str, int]
    ece_before_temperature: float
    subgroups: tuple[Subgroup, ...]
    unreadable: tuple[str, ...] = ()
    extra_licence: str = ""


def write_card(manifest: Manifest, facts: CardFacts) -> str:
    """Return Markdown."""
    sections = [_head(manifest, facts), _figures(manifest, facts), _subgroups(facts), _tail(manifest, facts)]
    return "\n\n".join(sections) + "\n"


def _head(manifest: Manifest, facts: CardFacts) -> str:
    leak = "**Leaky protocol: shows what the paper measured, and may never serve.**\n\n" if manifest.leaky else ""
    sizes = ", ".join(f"{part} {size}" for part, size in facts.part_sizes.items())
    return (
        f"# {manifest.id}\n\n{DISCLAIMER.capitalize()}.\n\n{leak}"
        f"**Intended use.** {manifest.intended_use}\n\n"
        f"**Network.** {manifest.training.get('network', '')}, {facts.parameters:,} parameters, "
        f"{facts.model_bytes:,} bytes as LiteRT ({manifest.quantisation}); "
        f"input {manifest.input_spec.width} × {manifest.input_spec.height} pixels.\n\n"
        f"**Data.** {facts.data_name}, protocol `{manifest.protocol}`: {sizes} images; "
        f"{len(facts.unreadable)} left out as unreadable. Digest of the rows `{manifest.data_digest[:16]}`."
    )


def _figures(manifest: Manifest, facts: CardFacts) -> str:
    rows = "\n".join(f"| {_title(name)} | {_interval(estimate)} |" for name, estimate in manifest.metrics.items())
    points = manifest.operating_points
    return (
        "## Figures on the test part\n\nWith 95 % intervals from 1,000 bootstraps over lesions.\n\n"
        f"| figure | value (interval) |\n|---|---|\n{rows}\n\n"
        f"Temperature {manifest.temperature:.3f}, from the calibration part; ECE before it "
        f"{facts.ece_before_temperature:.3f}. Operating points, from the same part: review from a malignant "
        f"probability of {points.review_from:.4f} (95 % of the malignant), refer from {points.refer_from:.4f} "
        "(90 % of the benign stay below)."
    )


def _subgroups(facts: CardFacts) -> str:
    rows = "\n".join(
        f"| {group.name} | {group.images} | {group.balanced_accuracy:.3f} | "
        f"{'–' if group.malignant_auroc is None else f'{group.malignant_auroc:.3f}'} |"
        for group in facts.subgroups
    )
    return (
        "## Subgroups of the test part\n\nBalanced over the classes that occur in the subgroup; small ones say little."
        f"\n\n| subgroup | images | balanced accuracy | malignant AUROC |\n|---|---|---|---|\n{rows}"
    )


def _tail(manifest: Manifest, facts: CardFacts) -> str:
    limits = "\n".join(f"- {limit}" for limit in _LIMITS)
    classes = ", ".join(f"`{label}` {FULL_NAME[label]}" for label in manifest.labels)
    return (
        f"## Limits\n\n{limits}\n\n## Labels, in the order of the outputs\n\n{classes}\n\n"
        f"## Licence\n\n{LICENCE} {facts.extra_licence}".rstrip()
    )


def _title(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ")


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
