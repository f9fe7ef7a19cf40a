"""Train a segmenter and keep a checkpoint of every epoch: a run that was cut off goes on where it was."""

from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from digiscope_cloud.learning.segmentation import augment, network
from digiscope_cloud.learning.segmentation.dataset import MaskedImages
from digiscope_cloud.learning.segmentation.settings import SegmentationSettings
from digiscope_shared.model_input import scale_pixels

WEIGHTS: Final = "segmenter.weights.h5"
_SMOOTH: Final = 1.0


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of augmented batches, the same for the same seed and epoch."""

    def __init__(self, images: MaskedImages, settings: SegmentationSettings) -> None:
        super().__init__(workers=0)
        self._images, self._settings = images, settings
        self.begin(0)

    def __len__(self) -> int:
        return len(self._images.names) // self._settings.batch

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        batch = self._settings.batch
        rng = np.random.default_rng((self._settings.seed, self._epoch, index))
        pairs = [self._pair(rng, int(which)) for which in self._order[index * batch : (index + 1) * batch]]
        inputs = scale_pixels(np.stack([image for image, _ in pairs]), self._settings.input_spec)
        masks = np.stack([mask[..., None] for _, mask in pairs])
        return inputs, masks.astype(np.float32) / np.float32(255)

    def begin(self, epoch: int) -> None:
        """Shuffle for that epoch: a resumed run draws what it would have drawn."""
        self._epoch = epoch
        self._order = np.random.default_rng((self._settings.seed, epoch)).permutation(len(self._images.names))

    def _pair(self, rng: np.random.Generator, which: int) -> augment.Pair:
        image_bgr, mask = self._images.images_bgr[which], self._images.masks[which]
        dice = rng.random()
        if dice < self._settings.phantom_share:
            return augment.phantom(rng, self._settings.width, self._settings.height)
        if dice < self._settings.phantom_share + self._settings.empty_share:
            return augment.empty(rng, image_bgr, mask)
        return augment.augment(rng, image_bgr, mask)


def train(settings: SegmentationSettings, images: MaskedImages, run_dir: Path) -> keras.Model:
    """Return the trained model with its averaged weights; `run_dir` keeps checkpoints, history and weights."""
    keras.utils.set_random_seed(settings.seed)
    model = network.build(settings.height, settings.width, settings.channels)
    learner = keras.Model(model.input, model.output[0])
    batches = Batches(images, settings)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        settings.epochs * len(batches),
        warmup_target=settings.learning_rate,
        warmup_steps=len(batches),
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=settings.weight_decay, use_ema=True, ema_momentum=0.995, global_clipnorm=1.0
    )
    learner.compile(optimizer, loss=overlap_loss)
    learner.fit(batches, epochs=settings.epochs, verbose=2, callbacks=_callbacks(run_dir, batches))
    optimizer.finalize_variable_values(learner.trainable_variables)
    model.save_weights(run_dir / WEIGHTS)
    return model


def overlap_loss(mask: Any, logits: Any) -> Any:
    """Return cross-entropy plus soft Dice (Milletari et al. 2016, arXiv:1606.04797), a mean over pictures."""
    entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(mask, logits), axis=(1, 2, 3))
    inside = tf.sigmoid(logits)
    both = tf.reduce_sum(mask * inside, axis=(1, 2, 3))
    either = tf.reduce_sum(mask + inside, axis=(1, 2, 3))
    return tf.reduce_mean(entropy + 1 - (2 * both + _SMOOTH) / (either + _SMOOTH))


def _callbacks(run_dir: Path, batches: Batches) -> list[keras.callbacks.Callback]:
    return [
        keras.callbacks.BackupAndRestore(run_dir / "checkpoint", delete_checkpoint=False),
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _logs: batches.begin(epoch)),
        keras.callbacks.CSVLogger(run_dir / "history.csv", append=True),
    ]
