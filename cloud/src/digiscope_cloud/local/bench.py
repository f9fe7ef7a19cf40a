"""`digiscope-cloud local bench`: what this machine does, through the whole chain.

First one image at a time, for the latency; then a burst, for throughput and for where the CPU time goes.
"""

import os
import platform
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from digiscope_cloud.local import cpu_meter, images
from digiscope_cloud.local.account import Account, JournalLine, percentile, read_bucket, read_journal, settle
from digiscope_cloud.local.cpu_meter import CpuTimes
from digiscope_cloud.local.processes import AgentProcess
from digiscope_cloud.local.server_process import ServerNotReadyError, becomes_true
from digiscope_cloud.local.stage_costs import stage_cpu_ms
from digiscope_cloud.local.system import LocalSystem

DEVICE_ID: Final = "bench-clinic"
ALONE: Final = 15
WARM_UP: Final = 5
ENDED: Final = frozenset({"CaptureAnswered", "CaptureRefused", "CaptureRejected"})
# In the cloud these two are Google's machines, not ours.
GOOGLES: Final = frozenset({"pubsub-emulator", "storage-emulator"})
ANSWER_TIMEOUT_S: Final = 60.0
BURST_TIMEOUT_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchFigures:
    """CPU in milliseconds a capture, in the burst; latency in seconds, from capture to result on the terminal."""

    machine: str
    images: str
    burst_captures: int
    images_per_s: float
    alone_median_s: float
    alone_p99_s: float
    burst_median_s: float
    burst_p99_s: float
    cpu_ms_by_process: dict[str, float]
    stage_cpu_ms: dict[str, float]
    worker_stage_elapsed_ms: dict[str, float]
    image_work_ms: float
    overhead_share: float
    own_overhead_share: float
    account: Account


def run(run_dir: Path, *, count: int, console: Console) -> BenchFigures:
    """Run both parts; everything that was started is stopped.

    Raises:
        ServerNotReadyError: a part did not start, or the images were not answered in time.
    """
    image_set = images.drawn(WARM_UP + ALONE + count, run_dir / "images")
    console.print(f"Images: {image_set.origin}, 600 × 450.")
    watched = run_dir / "watched"
    watched.mkdir()
    with LocalSystem(run_dir) as system:
        agent = system.agent(DEVICE_ID, watched_folder=str(watched))
        agent.start()
        for path in image_set.paths[: WARM_UP + ALONE]:
            _send(agent, watched, [path], ANSWER_TIMEOUT_S)
        alone = read_journal(agent.journal_path)
        console.print(f"One at a time: done. Now {count} at once.")
        pids = {name: process.pid for name, process in system.processes.items()}
        before = cpu_meter.read(pids)
        _send(agent, watched, image_set.paths[WARM_UP + ALONE :], BURST_TIMEOUT_S)
        after = cpu_meter.read(pids)
        agent.stop()
        journal = read_journal(agent.journal_path)
        account = settle(DEVICE_ID, journal, read_bucket(system.bucket()))
    used = {name: after[name].since(before[name]) for name in pids}
    paths = image_set.paths[-min(count, 50) :]
    return _figures(alone, journal[len(alone) :], used, stage_cpu_ms(paths), account)


def _send(agent: AgentProcess, watched: Path, paths: Sequence[Path], timeout_s: float) -> None:
    """Put files into the watched folder at once, and wait until each has come to its end."""
    ended = _ended(agent) + len(paths)
    for path in paths:
        # A rename on one file system is whole at once.
        unfinished = watched / f"{path.name}.part"
        shutil.copy(path, unfinished)
        unfinished.rename(watched / path.name)
    if not becomes_true(lambda: agent.exit_code is not None or _ended(agent) >= ended, timeout_s):
        raise ServerNotReadyError(f"{ended - _ended(agent)} images were not answered in time\n{agent.log_tail()}")


def _ended(agent: AgentProcess) -> int:
    return sum(line["event"] in ENDED for line in read_journal(agent.journal_path))


def _figures(
    alone: list[JournalLine],
    burst: list[JournalLine],
    used: dict[str, CpuTimes],
    stages: dict[str, float],
    account: Account,
) -> BenchFigures:
    answered = [line for line in burst if line["event"] == "CaptureAnswered"]
    accepted_s = [line["at_s"] for line in burst if line["event"] == "CaptureAccepted"]
    captures = len(answered)
    latencies_alone = sorted(_latencies(alone)[WARM_UP:])
    latencies_burst = sorted(_latencies(burst))
    took_s = max(line["at_s"] for line in answered) - min(accepted_s)
    by_process = {name: 1e3 * times.total_s / captures for name, times in used.items()}
    # The worker decodes and examines in processes of its own: all that they use is image work.
    in_worker = sum(1e3 * times.children_s / captures for name, times in used.items() if name.startswith("worker"))
    stages = {"worker vision": in_worker} | stages
    image_work_ms = sum(stages.values())
    return BenchFigures(
        machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        images=f"{captures} phantoms of 600 × 450",
        burst_captures=captures,
        images_per_s=captures / took_s,
        alone_median_s=percentile(latencies_alone, 0.5),
        alone_p99_s=percentile(latencies_alone, 0.99),
        burst_median_s=percentile(latencies_burst, 0.5),
        burst_p99_s=percentile(latencies_burst, 0.99),
        cpu_ms_by_process=by_process,
        stage_cpu_ms=stages,
        worker_stage_elapsed_ms=_mean_stages(answered),
        image_work_ms=image_work_ms,
        overhead_share=1 - image_work_ms / sum(by_process.values()),
        own_overhead_share=1 - image_work_ms / sum(ms for name, ms in by_process.items() if name not in GOOGLES),
        account=account,
    )


def _latencies(journal: list[JournalLine]) -> list[float]:
    return [line["latency_s"] for line in journal if line["event"] == "CaptureAnswered"]


def _mean_stages(answered: list[JournalLine]) -> dict[str, float]:
    """Return wall-clock milliseconds of each of the worker's stages, as its results tell."""
    totals: Counter[str] = Counter()
    for line in answered:
        totals.update(line["result"]["stage_ms"])
    return {name: total / len(answered) for name, total in totals.items()}
