"""The bench's table."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from digiscope_cloud.local.bench import BenchFigures
from digiscope_shared.lesions import DISCLAIMER


def show(figures: BenchFigures, console: Console) -> None:
    """Print the figures for people."""
    console.print(f"{figures.machine}; {figures.images}. {DISCLAIMER}", highlight=False)
    table = Table("figure", "value", box=SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for name, value in _rows(figures):
        table.add_row(name, value)
    console.print(table)
    account = figures.account
    console.print(
        f"{account.captured} captured, {account.stored} stored, {account.answered} answered, "
        f"{account.lost} lost, {account.answered_twice} twice",
        highlight=False,
    )


def _rows(figures: BenchFigures) -> list[tuple[str, str]]:
    total_ms = sum(figures.cpu_ms_by_process.values())
    by_cost = sorted(figures.cpu_ms_by_process.items(), key=lambda item: -item[1])
    return [
        ("images a second, in a burst", f"{figures.images_per_s:.1f}"),
        ("capture to result, one at a time: median", f"{figures.alone_median_s * 1e3:.0f} ms"),
        ("capture to result, one at a time: 99th percentile", f"{figures.alone_p99_s * 1e3:.0f} ms"),
        ("capture to result, in a burst: median", f"{figures.burst_median_s:.2f} s"),
        ("capture to result, in a burst: 99th percentile", f"{figures.burst_p99_s:.2f} s"),
        ("CPU a capture, all processes", f"{total_ms:.1f} ms"),
        *((f"  {name}", f"{value:.1f} ms") for name, value in by_cost),
        ("image work and inference a capture, CPU", f"{figures.image_work_ms:.1f} ms"),
        *((f"  {name}", f"{value:.2f} ms") for name, value in figures.stage_cpu_ms.items()),
        ("share of CPU spent on anything else", f"{figures.overhead_share:.0%}"),
        ("the same without the two emulators", f"{figures.own_overhead_share:.0%}"),
        ("a capture in the worker, elapsed, waiting for a core included", ""),
        *((f"  {name}", f"{value:.1f} ms") for name, value in figures.worker_stage_elapsed_ms.items()),
    ]
