"""The worker's composition root: every outside thing has its production default here."""

from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

import structlog

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import PubsubSubscriber
from digiscope_cloud.dead_letters import DeadLetters
from digiscope_cloud.delivery_taker import DeliveryTaker
from digiscope_cloud.ports import EventPublisher, EventSubscriber, ObjectStore
from digiscope_cloud.worker.adapters.batching_cnn import BatchingCnn
from digiscope_cloud.worker.adapters.image_process import Examine, open_examine
from digiscope_cloud.worker.adapters.image_processes import ImageProcesses
from digiscope_cloud.worker.analysis import ServedModel
from digiscope_cloud.worker.capture_desk import CaptureDesk
from digiscope_cloud.worker.settings import WorkerSettings
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.model_bundle import ModelBundle, load_bundle
from digiscope_shared.pubsub_topics import Subscription

log = structlog.get_logger()
MAX_LEASED_BYTES: Final = 64 * 1024 * 1024
# What the calls to storage and Pub/Sub may take beside the examination, retries included.
CALLS_S: Final = 120.0


class Worker:
    """Takes captures from `start` to `stop`."""

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        bundle: ModelBundle | None = None,
        store: ObjectStore | None = None,
        publisher: EventPublisher | None = None,
        subscriber: EventSubscriber | None = None,
        examine_opener: Callable[[], Examine] | None = None,
    ) -> None:
        self._settings = settings
        bundle = bundle or servable_bundle(settings)
        classifier = LiteRtClassifier(bundle, threads=1)
        classifier.verify_golden()
        self._subscriber = subscriber or PubsubSubscriber(
            settings,
            threads=settings.threads,
            max_lease_s=settings.hold_s + settings.leased_captures * settings.image_timeout_s + CALLS_S,
            close_within_s=settings.image_timeout_s + CALLS_S,
        )
        self._vision = ImageProcesses(
            examine_opener or partial(open_examine, bundle.input_spec),
            processes=settings.image_processes,
            timeout_s=settings.image_timeout_s,
        )
        self._cnn = BatchingCnn(classifier, bundle.labels, max_batch=settings.batch_captures)
        publisher = publisher or PubsubPublisher(settings)
        dead_letters = DeadLetters(publisher, Subscription.CAPTURES_WORKER)
        desk = CaptureDesk(
            model=ServedModel(digest=bundle.digest, model_id=bundle.model_id, operating_points=bundle.operating_points),
            store=store or GcsObjectStore(settings),
            publisher=publisher,
            dead_letters=dead_letters,
            vision=self._vision,
            cnn=self._cnn,
        )
        self._taker = DeliveryTaker(desk.answer, dead_letters, hold_s=settings.hold_s)
        log.info("worker_ready", model_id=bundle.model_id, model_digest=bundle.digest)

    def start(self) -> None:
        self._subscriber.start(
            Subscription.CAPTURES_WORKER,
            self._taker.take,
            max_messages=self._settings.leased_captures,
            max_bytes=MAX_LEASED_BYTES,
        )

    def stop(self) -> None:
        """Finish what is at work, give back the rest, end the children."""
        self._taker.stop_holding()
        self._subscriber.close()
        self._cnn.close()
        self._vision.close()
        log.info("worker_stopped")


def servable_bundle(settings: WorkerSettings) -> ModelBundle:
    """Load the bundle to serve.

    Raises:
        PermanentError: `bad-bundle`, also for one whose evaluation leaked: it may be shown, never served.
    """
    path = Path(settings.bundle) if settings.bundle else Path(str(files("digiscope_cloud"))) / "bundles" / "classifier"
    bundle = load_bundle(path)
    if bundle.leaky:
        raise PermanentError(
            Reason.BAD_BUNDLE, f"{path}: evaluated under the leaky protocol {bundle.manifest.protocol}"
        )
    return bundle
