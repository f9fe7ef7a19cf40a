"""Findings for a person, as a table."""

from typing import Any

from rich.table import Table


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
