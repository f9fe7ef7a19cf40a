"""`digiscope-cloud drill`: prove on your own machine that nothing is lost and nothing answered twice."""

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from digiscope_cloud.drill import faults, timeline
from digiscope_cloud.drill.measures import MEASURES
from digiscope_cloud.drill.reconcile import Verdict
from digiscope_cloud.drill.site import Site
from digiscope_shared import logs
from digiscope_shared.lesions import DISCLAIMER

EXAMPLES = """
\b
Examples:
  digiscope-cloud drill
  digiscope-cloud drill --seed 7 --faults kill-broker,link-cut --captures 100
  digiscope-cloud drill --list

It starts a system of its own and touches nothing else.
Exit codes: 0 nothing lost, nothing answered twice, outboxes empty; 1 otherwise; 2 usage.
"""


@click.command(epilog=EXAMPLES)
@click.option("--seed", type=int, default=None, help="Run a drill again; printed by each run.")
@click.option("--captures", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--devices", type=click.IntRange(1), default=4, show_default=True)
@click.option("--faults", "names", default="", help="Comma-separated; all of them, where it is missing.")
@click.option("--measure", "measures", multiple=True, type=click.Choice(sorted(MEASURES)), help="Also measure.")
@click.option("--hurry", type=click.FloatRange(1), default=1.0, help="Hold each fault for so many times less.")
@click.option("--pressing", is_flag=True, help="Let each fault follow the last without waiting for recovery.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Leave settings, logs and states here.")
@click.option("--list", "list_only", is_flag=True, help="Name the faults and end.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def drill(
    *,
    seed: int | None,
    captures: int,
    devices: int,
    names: str,
    measures: tuple[str, ...],
    hurry: float,
    pressing: bool,
    keep: Path | None,
    list_only: bool,
    as_json: bool,
) -> None:
    """Run the real system through faults and reconcile what was sent with what was kept."""
    console = Console(stderr=as_json)
    if list_only:
        for fault in faults.FAULTS:
            lacking = "" if fault.possible() else f" (left out here, it needs {fault.needs})"
            console.print(f"{fault.name:<16}{fault.summary}{lacking}", highlight=False)
        return
    logs.configure(level="warning")
    try:
        wanted = faults.named(names.split(",")) if names else faults.FAULTS
    except KeyError as error:
        raise click.UsageError(f"no fault {error}; `--list` names them") from error
    for fault in wanted:
        if not fault.possible():
            console.print(f"Left out: {fault.name}, which needs {fault.needs}.", highlight=False)
    chosen = tuple(fault for fault in wanted if fault.possible())
    seed = timeline.new_seed() if seed is None else seed
    rng = random.Random(seed)
    order = timeline.DrillOrder(
        seed=seed,
        captures=captures,
        faults=faults.shuffled(rng, chosen),
        measures=measures,
        hurry=hurry,
        pressing=pressing,
    )
    console.print(f"Seed {seed}. {captures} captures, {devices} devices, {len(chosen)} faults.")
    with (
        _run_dir(keep) as run_dir,
        Site(run_dir, devices=devices, rng=rng) as site,
    ):
        verdict = timeline.run(site, order, lambda step: console.print(f"  {step}", highlight=False))
    _show(verdict, seed, console, as_json=as_json)
    sys.exit(0 if verdict.passed else 1)


@contextmanager
def _run_dir(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="digiscope-drill-") as path:
        yield Path(path)


def _show(verdict: Verdict, seed: int, console: Console, *, as_json: bool) -> None:
    if as_json:
        fields = msgspec.to_builtins(verdict) | {"seed": seed, "passed": verdict.passed, "disclaimer": DISCLAIMER}
        click.echo(msgspec.json.encode(fields).decode())
        return
    table = Table("fault", "sent", "lost", "twice", "unanswered", "delay s", "recovery s", box=None)
    for line in verdict.lines:
        recovery = "" if line.recovery_s is None else f"{line.recovery_s:.1f}"
        counts = (line.captures, line.lost, line.answered_twice, line.unanswered)
        table.add_row(line.fault, *map(str, counts), f"{line.longest_delay_s:.1f}", recovery)
    console.print(table)
    for check in verdict.checks:
        console.print(f"{check.name}: {check.measured} (bar: {check.bar})", highlight=False)
    total = sum(line.captures for line in verdict.lines)
    problems = [
        *(f"gap in the sequence of {device}: {numbers}" for device, numbers in verdict.sequence_gaps.items()),
        *(f"nobody sent {capture_id}" for capture_id in verdict.strangers),
        *([f"outboxes still hold {verdict.held_by_devices}"] if verdict.held_by_devices else []),
    ]
    for problem in problems:
        console.print(problem)
    console.print(f"{'PASSED' if verdict.passed else 'FAILED'}: {total} captures, seed {seed}. {DISCLAIMER}")
