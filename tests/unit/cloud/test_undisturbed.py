"""Signals wait for the end of the block, and then come."""

import signal
import threading

import pytest

from digiscope_cloud.local.undisturbed import undisturbed


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    finished = False
    with pytest.raises(KeyboardInterrupt), undisturbed():  # noqa: PT012 the end of the block is the point
        signal.raise_signal(signal.SIGINT)
        finished = True
    assert finished
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_signal_nothing_happens() -> None:
    with undisturbed():
        pass


def test_an_error_in_the_block_comes_out() -> None:
    with pytest.raises(ValueError, match="mine"), undisturbed():
        raise ValueError("mine")


def test_it_does_nothing_in_other_threads() -> None:
    entered = []

    def work() -> None:
        with undisturbed():
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]
