"""Batched where there is a backlog, immediate where there is none."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from digiscope_cloud.worker.adapters.batching_cnn import BatchingCnn
from digiscope_cloud.worker.ports import Floats
from digiscope_shared.errors import TransientError
from digiscope_shared.lesions import LesionClass
from tests.support.waiting import wait_until

LABELS = (LesionClass.MEL, LesionClass.NV)


class GatedClassifier:
    """Answers (x, 1 - x) for an input full of x, once the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batch_sizes: list[int] = []

    def probabilities(self, inputs: Floats) -> Floats:
        self.batch_sizes.append(len(inputs))
        if not self.gate.wait(20):
            raise TimeoutError
        if np.isnan(inputs).any():
            raise ValueError("not a number")
        first = inputs[:, 0, 0, 0]
        return np.stack([first, 1 - first], axis=1)


def pixels(value: float) -> Floats:
    return np.full((2, 2, 3), value, np.float32)


def test_one_alone_goes_at_once() -> None:
    classifier = GatedClassifier()
    classifier.gate.set()
    cnn = BatchingCnn(classifier, LABELS, max_batch=8)
    assert cnn.classify(pixels(0.25)) == {LesionClass.MEL: 0.25, LesionClass.NV: 0.75}
    assert classifier.batch_sizes == [1]
    cnn.close()


def test_a_backlog_goes_in_batches_and_each_gets_its_own_row() -> None:
    classifier = GatedClassifier()
    cnn = BatchingCnn(classifier, LABELS, max_batch=8)
    values = [number / 32 for number in range(21)]
    with ThreadPoolExecutor(21) as threads:
        answers = [threads.submit(cnn.classify, pixels(values[0]))]
        wait_until(lambda: classifier.batch_sizes, what="the first batch")
        answers += [threads.submit(cnn.classify, pixels(value)) for value in values[1:]]
        wait_until(lambda: cnn._waiting.qsize() == 20, what="a backlog of 20")
        classifier.gate.set()
        assert [answer.result(20)[LesionClass.MEL] for answer in answers] == values
    assert classifier.batch_sizes == [1, 8, 8, 4]
    cnn.close()


def test_a_failure_reaches_who_waits_and_the_stage_lives_on() -> None:
    classifier = GatedClassifier()
    classifier.gate.set()
    cnn = BatchingCnn(classifier, LABELS, max_batch=8)
    with pytest.raises(ValueError, match="not a number"):
        cnn.classify(pixels(float("nan")))
    assert cnn.classify(pixels(0.5))[LesionClass.NV] == 0.5
    cnn.close()


def test_after_close_it_is_transient() -> None:
    cnn = BatchingCnn(GatedClassifier(), LABELS, max_batch=8)
    cnn.close()
    with pytest.raises(TransientError):
        cnn.classify(pixels(0.5))
