"""`digiscope-cloud local`: the whole system on this machine."""

import dataclasses
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from digiscope_cloud.local import bench as benching
from digiscope_cloud.local import bench_report
from digiscope_cloud.local import demo as demonstration
from digiscope_cloud.local import images as image_sets
from digiscope_cloud.local import up as upping
from digiscope_cloud.local.parts import MissingPartError, find_broker_files
from digiscope_shared import logs
from digiscope_shared.errors import SettingsError, TransientError

INTERRUPTED = 130
EXAMPLES = """
\b
Examples:
  digiscope-cloud local demo
  digiscope-cloud local demo --images ~/dermatoscope --count 10
  digiscope-cloud local up --camera http://192.168.1.20:8080/video
  digiscope-cloud local bench --json

Exit codes: 0 every capture has exactly one result, 1 it has not, 2 usage, 3 a part is missing or did not start,
130 interrupted.
"""
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group(epilog=EXAMPLES)
def local() -> None:
    """Run the whole of DigiScope on this machine. Research use only, not a diagnosis."""
    logs.configure(level="warning")
    # An end that is asked for stops what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)


@local.command(epilog=EXAMPLES)
@click.option("--images", "folder", type=FOLDER, help="Your own images; else samples beside the project, else drawn.")
@click.option("--count", type=click.IntRange(1, 1000), default=24, show_default=True, help="How many images.")
@click.option("--keep", is_flag=True, help="Keep logs, settings and objects; after a failure they are kept anyway.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON on the last line.")
def demo(folder: Path | None, count: int, *, keep: bool, as_json: bool) -> None:
    """Send images through the whole chain and count what became of them."""
    console = Console()
    samples = image_sets.samples_beside(find_broker_files().parent)
    with _ending_well(), _run_dir(keep=keep) as run_dir:
        order = demonstration.DemoOrder(run_dir=run_dir, count=count, folder=folder, samples=samples)
        outcome = demonstration.run(order, console)
        demonstration.report(outcome, console)
        if as_json:
            click.echo(json.dumps(dataclasses.asdict(outcome.account)))
        if not outcome.account.passed:
            raise NotPassedError


@local.command(epilog=EXAMPLES)
@click.option("--camera", default="0", show_default=True, help="A camera's number, a URL, or a video file.")
@click.option("--watch", type=FOLDER, help="Also take the images that are put into this folder.")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Keep everything here, over restarts.")
def up(camera: str, watch: Path | None, run_dir: Path | None) -> None:
    """Run the same system until Ctrl-C, with the agent on a camera."""
    with _ending_well(), _run_dir(keep=run_dir is not None, path=run_dir) as place:
        upping.run(place, camera=camera, watch=watch, console=Console())


@local.command(epilog=EXAMPLES)
@click.option("--count", type=click.IntRange(10, 10_000), default=300, show_default=True, help="Images in the burst.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def bench(count: int, *, as_json: bool) -> None:
    """Measure this machine: images a second, CPU a capture, latency."""
    console = Console(stderr=as_json)
    with _ending_well(), _run_dir(keep=False) as run_dir:
        figures = benching.run(run_dir, count=count, console=console)
        if as_json:
            click.echo(json.dumps(dataclasses.asdict(figures), indent=2))
        else:
            bench_report.show(figures, console)
        if not figures.account.passed:
            raise NotPassedError


class NotPassedError(Exception):
    """A capture has no result, or more than one."""


@contextmanager
def _ending_well() -> Iterator[None]:
    """Turn errors into one line and an exit code."""
    try:
        yield
    except NotPassedError:
        sys.exit(1)
    except MissingPartError as error:
        _fail(str(error), 3)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except TransientError as error:
        _fail(str(error), 3)
    except KeyboardInterrupt:
        _fail("interrupted; everything that was started is stopped", INTERRUPTED)


@contextmanager
def _run_dir(*, keep: bool, path: Path | None = None) -> Iterator[Path]:
    """Give a folder for settings, logs and objects, kept after a failure. Short: a socket's path ends at 107 bytes."""
    run_dir = path or Path(tempfile.mkdtemp(prefix="digiscope-"))
    try:
        yield run_dir
    except BaseException:
        click.echo(f"Settings and logs are kept in {run_dir}", err=True)
        raise
    if keep:
        click.echo(f"Settings, logs and objects are in {run_dir}", err=True)
    else:
        shutil.rmtree(run_dir, ignore_errors=True)


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(exit_code)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
