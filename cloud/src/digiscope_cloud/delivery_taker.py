"""How a delivery ends: answered and acked, buried and acked, held through an outage, or given back."""

import threading
import time
from collections.abc import Callable

import structlog

from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_cloud.ports import Delivery
from digiscope_shared.backoff import Backoff
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, TransientError

log = structlog.get_logger()


def held_backoff() -> Backoff:
    """Return the pace at which a held delivery is tried again."""
    return Backoff(base_s=0.5, cap_s=15.0)


class DeliveryTaker:
    """Calls `answer` until it succeeds, fails for good, or `hold_s` is over; used by many threads at once.

    A nack counts as a delivery attempt, and after the last one waits the dead letter: an outage is sat out here, under
    the lease, and not in a circle through Pub/Sub.
    """

    def __init__(
        self,
        answer: Callable[[Envelope], None],
        dead_letters: DeadLetters,
        *,
        hold_s: float,
        new_backoff: Callable[[], Backoff] = held_backoff,
    ) -> None:
        self._answer = answer
        self._dead_letters = dead_letters
        self._hold_s = hold_s
        self._new_backoff = new_backoff
        self._stopping = threading.Event()

    def stop_holding(self) -> None:
        """Give back, from now on, what can't be answered at once."""
        self._stopping.set()

    def take(self, delivery: Delivery) -> None:
        """End the delivery; never raises."""
        give_up_at_s = time.monotonic() + self._hold_s
        backoff = self._new_backoff()
        while True:
            try:
                self._answer_or_bury(delivery.envelope)
            except TransientError as error:
                delay_s = backoff.next_delay_s()
                log.warning("delivery_held", error=str(error), retry_in_s=round(delay_s, 2))
                if time.monotonic() + delay_s > give_up_at_s or self._stopping.wait(delay_s):
                    delivery.nack()
                    return
            except Exception:  # a bug of ours is not the message's fault; Pub/Sub counts the attempts
                log.exception("delivery_failed")
                delivery.nack()
                return
            else:
                delivery.ack()
                return

    def _answer_or_bury(self, envelope: Envelope) -> None:
        try:
            self._answer(envelope)
        except PermanentError as error:
            self._dead_letters.bury(envelope, error)
