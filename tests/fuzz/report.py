"""What a person reads while it runs and at the end."""

from collections.abc import Mapping

from tests.fuzz.tally import Tally
from tests.fuzz.trial import ACCEPTED

_HEAD = ("target", "inputs", "accepted", "slowest ms", "peak MB", "faults", "refused")


def progress(name: str, tally: Tally, done: int, of: int) -> str:
    return f"{done:2} of {of}: {name}, {tally.inputs:,} inputs, {len(tally.faults)} faults"


def table(tallies: Mapping[str, Tally]) -> str:
    """Lay out one line a target, and their sum."""
    lines = [_HEAD, *(_line(name, tally) for name, tally in sorted(tallies.items()))]
    total = sum(tally.inputs for tally in tallies.values())
    accepted = sum(tally.verdicts[ACCEPTED] for tally in tallies.values())
    faults = sum(len(tally.faults) for tally in tallies.values())
    lines.append(("all", f"{total:,}", f"{accepted:,}", "", "", str(faults), ""))
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD) - 1)]
    return "\n".join(
        f"{line[0]:<{widths[0]}}  "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(line[1:-1], widths[1:], strict=True))
        + f"  {line[-1]}"
        for line in lines
    )


def _line(name: str, tally: Tally) -> tuple[str, ...]:
    refused = ", ".join(f"{kind} {count:,}" for kind, count in tally.verdicts.most_common() if kind != ACCEPTED)
    accepted = f"{tally.verdicts[ACCEPTED]:,}"
    return (
        name,
        f"{tally.inputs:,}",
        accepted,
        f"{tally.slowest_ms:.0f}",
        f"{tally.peak_mb:.0f}",
        str(len(tally.faults)),
        refused,
    )
