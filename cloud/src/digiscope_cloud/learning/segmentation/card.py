"""The segmenter's model card, made from the run."""

from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.segmenter_bundle import SegmenterManifest


def write_card(manifest: SegmenterManifest, model_bytes: int) -> str:
    """Return Markdown."""
    rows = "\n".join(
        f"| {name} | {metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}) |"
        for name, metric in manifest.metrics.items()
    )
    spec = manifest.input_spec
    return (
        f"# {manifest.id}\n\n{DISCLAIMER.capitalize()}.\n\n**Intended use.** {manifest.intended_use}\n\n"
        f"**Network.** {manifest.training['network']}, {manifest.training['parameters']:,} parameters, "
        f"{model_bytes:,} bytes as LiteRT ({manifest.quantisation}); the whole frame at "
        f"{spec.width} × {spec.height}.\n\n"
        f"**Data.** HAM10000's train part under `{manifest.protocol}` and its published masks, at 200×150; drawn "
        "lesions and pictures without any beside them.\n\n"
        "## Figures\n\nMeans over the pictures of the val and cal parts, whose lesions were not trained on, as served, "
        "with 95 % intervals from 1,000 bootstraps over lesions. The checkpoint is the last one: none was chosen on "
        f"val. `otsu` is the classical way on the same pictures.\n\n"
        f"| figure | value (interval) |\n|---|---|\n{rows}\n\n"
        f"A picture farther than {manifest.max_distance:.3f} from what lesions look like is called something else; "
        "2 % of the cal part's pictures are.\n\n"
        "## Limits\n\n- Masks of HAM10000 were drawn with the help of a network and corrected by eye: agreement with "
        "them is not agreement with a dermatologist.\n- One lesion a picture: the largest.\n- Light skin mostly; "
        "no phone photographs without a dermatoscope.\n\n"
        f"## Licence\n\n{manifest.licence}\n"
    )
