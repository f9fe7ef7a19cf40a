"""The paper's system, trained as it says: Table 2's network, Table 3's settings, the dense and the SVM head."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import structlog
from sklearn.svm import SVC

from digiscope_cloud.learning.datasets.examples import Dataset, load_images
from digiscope_cloud.learning.networks import paper_cnn
from digiscope_cloud.learning.paper_protocol import CODES, PaperSplit, paper_split
from digiscope_shared.errors import SettingsError
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.model_input import build_input

_log = structlog.get_logger()
EPOCHS: Final = 50
BATCH: Final = 128
SPEC: Final = InputSpec(height=paper_cnn.INPUT_PX, width=paper_cnn.INPUT_PX, crop="whole")
_SEED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOutcome:
    """What the report draws: predictions of both heads, curves and times."""

    split: PaperSplit
    model: keras.Model
    dense_probabilities: Any
    svm_codes: Any
    history: dict[str, list[float]]
    test_loss: float
    train_s: float
    sample_ms: float
    augmented: bool


def run_paper(dataset: Dataset, run_dir: Path, *, epochs: int = EPOCHS, augmented: bool = False) -> PaperOutcome:
    """Train both heads, or go on; raises SettingsError where an image can't be read, since the split needs all rows."""
    split = paper_split(dataset.examples)
    inputs = paper_inputs(dataset)
    keras.utils.set_random_seed(_SEED)
    model = paper_cnn.build(len(CODES))
    model.compile(
        keras.optimizers.Adam(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    run_dir.mkdir(parents=True, exist_ok=True)
    clock = _Stopwatch(run_dir / "trained_s.txt")
    model.fit(
        *_training_data(inputs, split, augmented=augmented),
        batch_size=None if augmented else BATCH,
        epochs=epochs,
        validation_data=(inputs[split.test_rows], split.test_codes),
        validation_batch_size=1024,
        callbacks=_callbacks(run_dir, clock),
        verbose=0,
    )
    model.save(run_dir / "model.keras")
    logits = model.predict(inputs[split.test_rows], batch_size=1024, verbose=0)
    probabilities = np.asarray(keras.ops.softmax(logits))
    chosen = probabilities[np.arange(len(logits)), split.test_codes]
    return PaperOutcome(
        split=split,
        model=model,
        dense_probabilities=probabilities,
        svm_codes=_svm_head(model, inputs, split),
        history=read_curves(run_dir / "curves.csv"),
        test_loss=float(-np.log(np.maximum(chosen, 1e-12)).mean()),
        train_s=clock.total_s,
        sample_ms=_sample_ms(model, inputs),
        augmented=augmented,
    )


def paper_inputs(dataset: Dataset) -> Any:
    """Return all published rows at 28 × 28."""
    loaded = load_images(dataset, dataset.examples)
    if loaded.unreadable:
        raise SettingsError(f"the paper's split needs every image; can't read {', '.join(loaded.unreadable[:5])}")
    return np.stack([build_input(image, SPEC) for image in loaded.images_bgr])


def read_curves(path: Path) -> dict[str, list[float]]:
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    columns = zip(*(map(float, line.split(",")) for line in lines), strict=True)
    return {name: list(column) for name, column in zip(header.split(","), columns, strict=True)}


def _training_data(inputs: Any, split: PaperSplit, *, augmented: bool) -> Sequence[Any]:
    if not augmented:
        return inputs[split.train_rows], split.train_codes
    return (_AugmentedRows(inputs, split),)


def _callbacks(run_dir: Path, clock: "_Stopwatch") -> list[keras.callbacks.Callback]:
    return [
        keras.callbacks.BackupAndRestore(run_dir / "backup", delete_checkpoint=False),
        keras.callbacks.CSVLogger(run_dir / "curves.csv", append=True),
        keras.callbacks.TensorBoard(run_dir / "tensorboard", write_graph=False),
        clock,
    ]


class _Stopwatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds up the time of all epochs, over interruptions."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._started = 0.0
        self.total_s = float(path.read_text(encoding="utf-8")) if path.is_file() else 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002, Keras passes them
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.total_s += time.monotonic() - self._started
        self._path.write_text(f"{self.total_s:.1f}", encoding="utf-8")
        _log.info("epoch_ended", epoch=epoch + 1, **{name: round(value, 4) for name, value in (logs or {}).items()})


class _AugmentedRows(keras.utils.PyDataset):  # type: ignore[misc]
    """Table 3's batches with the flips, turns, shifts and zooms of Figure 2."""

    def __init__(self, inputs: Any, split: PaperSplit) -> None:
        super().__init__()
        self._inputs, self._split = inputs, split
        self._views = keras.Sequential(
            [
                keras.layers.RandomFlip(),
                keras.layers.RandomRotation(0.03),
                keras.layers.RandomTranslation(0.1, 0.1),
                keras.layers.RandomZoom(0.1),
            ]
        )

    def __len__(self) -> int:
        return math.ceil(len(self._split.train_rows) / BATCH)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        place = slice(index * BATCH, (index + 1) * BATCH)
        return self._views(self._inputs[self._split.train_rows[place]], training=True), self._split.train_codes[place]


def _svm_head(model: keras.Model, inputs: Any, split: PaperSplit) -> Any:
    """Return the test rows' codes by an RBF support vector machine on the 64-unit layer."""
    features = keras.Model(model.inputs, model.get_layer("features").output).predict(inputs, batch_size=1024, verbose=0)
    machine = SVC(kernel="rbf", cache_size=1000).fit(features[split.train_rows], split.train_codes)
    # Repeated rows get one answer: a tenth of the work.
    unique, place = np.unique(split.test_rows, return_inverse=True)
    return machine.predict(features[unique])[place]


def _sample_ms(model: keras.Model, inputs: Any) -> float:
    """Return milliseconds a sample in one batched call, as the paper's 0.130 must have been measured."""
    started = time.perf_counter()
    model.predict(inputs, batch_size=1024, verbose=0)
    return (time.perf_counter() - started) * 1000 / len(inputs)
