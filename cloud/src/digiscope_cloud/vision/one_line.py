"""Findings in one line, for a row of the terminal."""

from typing import Any


def one_line(vision: dict[str, Any]) -> str:
    """Return the features that matter, short enough for a row of the terminal."""
    if not vision["likeness"]["is_lesion"]:
        return str(vision["likeness"]["detail"])
    if not vision["segmentation"]["found"]:
        return "no lesion found"
    abcd, shape = vision["abcd"], vision["shape"]
    size = f"{shape['diameter_mm']:.1f} mm" if "diameter_mm" in shape else f"{shape['diameter_px']:.0f} px"
    colours = "+".join(vision["colour"]["present"]) or "skin-coloured"
    score = f"TDS {abcd['total_low']:.1f}–{abcd['total_high']:.1f} if melanocytic"
    advice = "".join(f"; {failure['advice']}" for failure in vision["quality"]["failures"])
    return f"A{abcd['asymmetry']} B{abcd['border']} C{abcd['colours']} · {score} · {size} · {colours}{advice}"
