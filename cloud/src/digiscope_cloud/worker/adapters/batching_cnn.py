"""A `CnnStage` that batches what waits: with a backlog many inputs a call, without one each input at once."""

import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from digiscope_cloud.worker.ports import Classifier, Floats
from digiscope_shared.errors import TransientError
from digiscope_shared.lesions import LesionClass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    model_input: Floats
    row: "Future[Floats]" = field(default_factory=Future)


class BatchingCnn:
    """One thread owns the classifier and drains the queue; no timer waits for company."""

    def __init__(self, classifier: Classifier, labels: Sequence[LesionClass], *, max_batch: int) -> None:
        self._classifier = classifier
        self._labels = tuple(labels)
        self._max_batch = max_batch
        self._waiting: queue.Queue[_Request | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="cnn")
        self._thread.start()

    def classify(self, model_input: Floats) -> Mapping[LesionClass, float]:
        """Return the probabilities of one input; whatever the classifier raises is raised here."""
        if not self._thread.is_alive():
            raise TransientError("the CNN stage is closed")
        request = _Request(model_input=model_input)
        self._waiting.put(request)
        row = request.row.result()
        return dict(zip(self._labels, map(float, row), strict=True))

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            self._classify_batch([request for request in batch if request is not None])
            if None in batch:
                return

    def _next_batch(self) -> list[_Request | None]:
        batch = [self._waiting.get()]
        while len(batch) < self._max_batch and batch[-1] is not None:
            try:
                batch.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return batch

    def _classify_batch(self, batch: Sequence[_Request]) -> None:
        if not batch:
            return
        try:
            rows = self._classifier.probabilities(np.stack([request.model_input for request in batch]))
        except Exception as error:  # noqa: BLE001, each waiting thread gets it, and the CNN thread lives on
            for request in batch:
                request.row.set_exception(error)
        else:
            for request, row in zip(batch, rows, strict=True):
                request.row.set_result(row)
