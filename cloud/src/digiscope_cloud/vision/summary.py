"""Findings for a person: one line for the terminal, and a table."""

from typing import Any

from rich.table import Table


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


def report(vision: dict[str, Any]) -> Table:
    """Return all numbers, a row each."""
    table = Table("finding", "value", title=None)
    for section, values in vision.items():
        if isinstance(values, dict):
            for name, value in values.items():
                table.add_row(f"{section}.{name}", _shown(value))
    return table


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_shown(each) for each in value) or "–"
    return str(value)
