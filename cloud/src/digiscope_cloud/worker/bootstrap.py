"""The worker's composition root: every outside thing has its production default here."""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import PubsubSubscriber
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_cloud.delivery_taker import DeliveryTaker
from digiscope_cloud.ports import EventPublisher, EventSubscriber, ObjectStore
from digiscope_cloud.worker.adapters.batching_cnn import BatchingCnn
from digiscope_cloud.worker.adapters.image_process import Examine, open_examine
from digiscope_cloud.worker.adapters.image_processes import ImageProcesses
from digiscope_cloud.worker.capture_desk import CaptureDesk
from digiscope_cloud.worker.serving import Serving, load_serving
from digiscope_cloud.worker.settings import WorkerSettings
from digiscope_shared.pubsub_topics import Subscription, dead_letter_id

log = structlog.get_logger()
MAX_LEASED_BYTES: Final = 64 * 1024 * 1024
# What the calls to storage and Pub/Sub may take beside the examination, retries included.
CALLS_S: Final = 120.0
# The adapters retry a hiccup; an outage is the taker's, which says so in the log.
RETRY_S: Final = 5.0


class Worker:
    """Takes captures from `start` to `stop`."""

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        serving: Serving | None = None,
        store: ObjectStore | None = None,
        publisher: EventPublisher | None = None,
        subscriber: EventSubscriber | None = None,
        examine_opener: Callable[[], Examine] | None = None,
    ) -> None:
        self._settings = settings
        serving = serving or load_serving(settings)
        self._subscriber = subscriber or PubsubSubscriber(
            settings,
            threads=settings.threads,
            per_device=settings.threads_per_device,
            max_lease_s=settings.hold_s + settings.leased_captures * settings.image_timeout_s + CALLS_S,
            close_within_s=settings.image_timeout_s + CALLS_S,
        )
        self._vision = ImageProcesses(
            examine_opener or partial(open_examine, serving.input_spec, overlays=settings.overlays),
            processes=settings.image_processes,
            timeout_s=settings.image_timeout_s,
        )
        self._cnn = BatchingCnn(serving.classifier, serving.labels, max_batch=settings.batch_captures)
        publisher = publisher or PubsubPublisher(settings, confirm_within_s=RETRY_S)
        dead_letters = DeadLetters(publisher, dead_letter_id(Subscription.CAPTURES_WORKER))
        desk = CaptureDesk(
            model=serving.model,
            store=store or GcsObjectStore(settings, retry_s=RETRY_S),
            publisher=publisher,
            dead_letters=dead_letters,
            vision=self._vision,
            cnn=self._cnn,
        )
        self._taker = DeliveryTaker(desk.answer, dead_letters, hold_s=settings.hold_s)
        log.info("worker_ready", model_id=serving.model.model_id, model_digest=serving.model.digest)

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
