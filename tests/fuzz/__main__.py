"""`python -m tests.fuzz`: every target in a process of its own, two at a time, and a table at the end."""

import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import click

from tests.fuzz import corpus, report
from tests.fuzz.child import Child
from tests.fuzz.registry import TARGETS

EXAMPLES = """
\b
Examples:
  python -m tests.fuzz
  python -m tests.fuzz --seed 7 --target decoding --target quality-gate --inputs 20000

Exit codes: 0 only typed errors came out, within their bounds, 1 something else did: its input is in tests/corpus.
"""


@click.command(epilog=EXAMPLES)
@click.option("--seed", type=int, default=None, help="Repeats a run; drawn and told otherwise.")
@click.option("--inputs", type=click.IntRange(min=1), default=120_000, show_default=True, help="Over all targets.")
@click.option("--target", "names", multiple=True, type=click.Choice(list(TARGETS)), help="Only these.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Processes at a time.")
def fuzz(seed: int | None, inputs: int, names: tuple[str, ...], jobs: int) -> None:
    """Throw hostile input at everything that decodes."""
    seed = secrets.randbelow(10**6) if seed is None else seed
    began_s = time.monotonic()
    tallies = {}
    with tempfile.TemporaryDirectory(prefix="digiscope-fuzz-") as scratch:
        children = list(_children(names or tuple(TARGETS), inputs, seed, Path(scratch)))
        with ThreadPoolExecutor(jobs) as threads:
            running = {threads.submit(child.run): child for child in children}
            for done in as_completed(running):
                name = running[done].target.name
                tallies[name] = done.result()
                click.echo(report.progress(name, tallies[name], len(tallies), len(children)))
    click.echo(report.table({child.target.name: tallies[child.target.name] for child in children}))
    click.echo(f"seed {seed}, {time.monotonic() - began_s:.0f} s")
    faults = [(name, fault, content) for name, tally in tallies.items() for fault, content in tally.faults.items()]
    for name, fault, content in faults:
        click.echo(f"FAULT {name}: {fault}\n  kept as {corpus.save(name, content)}", err=True)
    sys.exit(1 if faults else 0)


def _children(names: tuple[str, ...], inputs: int, seed: int, scratch: Path) -> Iterator[Child]:
    """Share the inputs out by weight; the heaviest first, so that none is left to run alone at the end."""
    targets = sorted((TARGETS[name] for name in dict.fromkeys(names)), key=lambda target: -target.weight)
    total = sum(target.weight for target in targets)
    for target in targets:
        yield Child(target=target, seed=seed, inputs=-(-inputs * target.weight // total), scratch=scratch)


if __name__ == "__main__":
    fuzz()
