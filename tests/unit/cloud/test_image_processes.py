"""A hanging or crashing image never holds the worker."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from digiscope_cloud.worker.adapters.image_processes import ImageProcesses
from digiscope_shared.errors import PermanentError, Reason, TransientError
from tests.support import examiners


@pytest.fixture(scope="module")
def one_process() -> Iterator[ImageProcesses]:
    processes = ImageProcesses(examiners.open_examine, processes=1, timeout_s=0.3)
    yield processes
    processes.close()


def test_an_image_is_examined_elsewhere(one_process: ImageProcesses) -> None:
    examination = one_process.examine(b"\x07rest")
    assert examination.findings == {"vision": {"first": 7}}
    assert examination.model_input.shape == (4, 4, 3)
    assert one_process.examine(b"\x07rest", 12.5).findings == {"vision": {"first": 7, "width_mm": 12.5}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (examiners.HANG, Reason.TOO_SLOW),
        (examiners.CRASH, Reason.UNREADABLE_IMAGE),
        (examiners.BUG, Reason.UNREADABLE_IMAGE),
        (examiners.UNREADABLE, Reason.UNREADABLE_IMAGE),
    ],
)
def test_a_bad_image_is_refused_and_the_next_one_examined(
    one_process: ImageProcesses, content: bytes, reason: Reason
) -> None:
    with pytest.raises(PermanentError) as caught:
        one_process.examine(content)
    assert caught.value.reason == reason
    assert one_process.examine(b"\x01").findings == {"vision": {"first": 1}}


def test_a_process_that_was_killed_while_idle_is_replaced(one_process: ImageProcesses) -> None:
    child = one_process._idle.queue[-1]
    assert child.process.pid is not None
    os.kill(child.process.pid, signal.SIGKILL)
    assert one_process.examine(b"\x02").findings == {"vision": {"first": 2}}


def test_a_stopped_process_is_too_slow_for_the_parent_too(
    one_process: ImageProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digiscope_cloud.worker.adapters.image_processes._GRACE_S", 0.1)
    one_process.examine(b"\x00")
    child = one_process._idle.queue[-1]
    assert child.process.pid is not None
    os.kill(child.process.pid, signal.SIGSTOP)
    with pytest.raises(PermanentError, match="too-slow"):
        one_process.examine(b"\x03")


def test_many_threads_share_the_processes(one_process: ImageProcesses) -> None:
    with ThreadPoolExecutor(8) as threads:
        examined = list(threads.map(one_process.examine, [bytes([number]) for number in range(40)]))
    assert [each.findings["vision"]["first"] for each in examined] == list(range(40))


def test_what_can_not_start_says_so() -> None:
    with pytest.raises(TransientError, match="start"):
        ImageProcesses(examiners.cannot_open, processes=1, timeout_s=1)
