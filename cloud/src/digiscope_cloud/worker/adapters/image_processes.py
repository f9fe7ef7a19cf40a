"""A `VisionStage` in child processes: a hanging or crashing decoder is killed, which no thread can be."""

import multiprocessing
import queue
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from digiscope_cloud.worker.adapters.image_process import Examine, Failed, Image, serve
from digiscope_cloud.worker.ports import Examination
from digiscope_shared.errors import PermanentError, Reason, TransientError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

log = structlog.get_logger()

# Spawned, not forked: gRPC's threads don't survive a fork. https://github.com/grpc/grpc/blob/master/doc/fork_support.md
_SPAWN: Final = multiprocessing.get_context("spawn")
# Imports of OpenCV and scikit-image on a busy small machine.
START_TIMEOUT_S: Final = 120.0
# What the parent grants beyond the child's own alarm, which comes first unless the child was stopped from outside.
_GRACE_S: Final = 2.0
CLOSE_TIMEOUT_S: Final = 5.0


class ChildDiedError(Exception):
    """A child process ended without an answer; its exit code is the argument."""


class ImageProcesses:
    """`processes` children, each with one image at a time; `open_examine` is pickled and runs in the child."""

    def __init__(self, open_examine: Callable[[], Examine], *, processes: int, timeout_s: float) -> None:
        self._start = partial(_Child.start, open_examine, timeout_s)
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        children = [self._start() for _ in range(processes)]
        for child in children:
            child.wait_until_ready()
            self._idle.put(child)
        self._processes = processes

    def examine(self, content: bytes, frame_width_mm: float | None = None) -> Examination:
        """Examine one image; the time limit starts when a child takes it.

        Raises:
            PermanentError: the image can't be judged, took too long, or killed two children.
        """
        image = Image(content, frame_width_mm)
        try:
            return self._examine_once(image)
        except ChildDiedError as error:
            log.warning("image_process_died", exit_code=error.args[0])
        try:
            return self._examine_once(image)
        except ChildDiedError as error:
            detail = f"the image process died twice, exit code {error.args[0]}"
            raise PermanentError(Reason.UNREADABLE_IMAGE, detail) from error

    def close(self) -> None:
        for _ in range(self._processes):
            self._idle.get().close()

    def _examine_once(self, image: Image) -> Examination:
        child = self._idle.get()
        try:
            if not child.is_alive():
                child = self._start()
            return child.examine(image)
        finally:
            self._idle.put(child)


@dataclass(slots=True)
class _Child:
    process: multiprocessing.process.BaseProcess
    connection: "Connection[Image, object]"
    timeout_s: float
    ready: bool = False

    @classmethod
    def start(cls, open_examine: Callable[[], Examine], timeout_s: float) -> "_Child":
        try:
            ours, theirs = _SPAWN.Pipe()
            process = _SPAWN.Process(target=serve, args=(theirs, open_examine, timeout_s), name="image", daemon=True)
            process.start()
        except OSError as error:
            raise TransientError(f"no image process: {error}") from error
        theirs.close()
        return cls(process=process, connection=ours, timeout_s=timeout_s)

    def is_alive(self) -> bool:
        return not self.connection.closed and self.process.is_alive()

    def wait_until_ready(self) -> None:
        if not self.ready:
            try:
                self._receive(START_TIMEOUT_S)
            except (ChildDiedError, TimeoutError) as error:
                raise TransientError(f"the image process doesn't start: {error!r}") from error
            self.ready = True

    def examine(self, image: Image) -> Examination:
        self.wait_until_ready()
        reply = self._exchange(image)
        if isinstance(reply, Failed):
            log.warning("image_refused", reason=str(reply.reason), detail=reply.detail, traceback=reply.traceback)
            raise PermanentError(reply.reason, reply.detail)
        assert isinstance(reply, Examination)
        return reply

    def close(self) -> None:
        """Let an idle child end by itself; kill one that doesn't."""
        self._end(CLOSE_TIMEOUT_S)

    def _exchange(self, image: Image) -> object:
        too_slow = PermanentError(Reason.TOO_SLOW, f"not examined within {self.timeout_s:g} s")
        try:
            self.connection.send(image)
            return self._receive(self.timeout_s + _GRACE_S)
        except TimeoutError:
            raise too_slow from None
        except OSError as error:
            raise self._died() from error
        except ChildDiedError as error:
            if error.args[0] == -signal.SIGALRM:
                raise too_slow from None
            raise

    def _receive(self, timeout_s: float) -> object:
        try:
            if not self.connection.poll(timeout_s):
                self._end(0)
                raise TimeoutError(f"no answer in {timeout_s:g} s")
            return self.connection.recv()
        except (EOFError, ConnectionError) as error:
            raise self._died() from error

    def _died(self) -> ChildDiedError:
        self._end(CLOSE_TIMEOUT_S)
        return ChildDiedError(self.process.exitcode)

    def _end(self, patience_s: float) -> None:
        self.connection.close()
        self.process.join(patience_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
