"""Device shadows in the bucket: desired and reported, each one object with generation preconditions."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from digiscope_cloud.fleet.desired import directive, next_desired, signed
from digiscope_cloud.fleet.reported import ReportedState
from digiscope_cloud.ports import ConflictError, EventPublisher, NotFoundError, ObjectStore
from digiscope_shared import object_names
from digiscope_shared.codec import Message, decode_json, encode_json
from digiscope_shared.errors import TransientError
from digiscope_shared.messages import DesiredConfig
from digiscope_shared.pubsub_topics import PubsubTopic
from digiscope_shared.signing import SigningKey

M = TypeVar("M", bound=Message)
MAX_CONFLICTS: Final = 20
_JSON: Final = "application/json"


class Shadows:
    """Reads and changes shadows; sends what is desired. Only `desire` signs: to send again needs no key."""

    def __init__(self, store: ObjectStore, publisher: EventPublisher, *, signing_key: SigningKey | None = None) -> None:
        self._store = store
        self._publisher = publisher
        self._signing_key = signing_key

    def desired(self, device_id: str) -> DesiredConfig | None:
        return self._read(DesiredConfig, object_names.desired_config(device_id))[0]

    def reported(self, device_id: str) -> ReportedState | None:
        return self._read(ReportedState, object_names.reported_state(device_id))[0]

    def device_ids(self) -> Iterator[str]:
        """List the devices of which anything is desired or reported, in order."""
        names = [stored.name.removeprefix(object_names.DEVICES) for stored in self._store.list(object_names.DEVICES)]
        yield from sorted({name.partition("/")[0] for name in names})

    def desire(self, device_id: str, changes: Mapping[str, Any], *, model_digest: str | None = None) -> DesiredConfig:
        """Change what is desired, one version up.

        Raises:
            TransientError: storage failed, or others changed it again and again.
        """
        changed = self._change(
            DesiredConfig,
            object_names.desired_config(device_id),
            lambda current: signed(next_desired(current, changes, model_digest), device_id, self._signing_key),
        )
        assert changed is not None
        return changed

    def report(
        self, device_id: str, change: Callable[[ReportedState | None], ReportedState | None]
    ) -> ReportedState | None:
        """Write what `change` makes of what is reported; nothing where it returns None."""
        return self._change(ReportedState, object_names.reported_state(device_id), change)

    def send(self, device_id: str) -> None:
        """Publish the desired config as it is stored: what is stored may be newer than what the caller knows."""
        body, _ = self._store.read(object_names.desired_config(device_id))
        self._publisher.publish(PubsubTopic.DEVICE_DIRECTIVES, directive(device_id, body), ordering_key=device_id)

    def _change(self, message_type: type[M], name: str, change: Callable[[M | None], M | None]) -> M | None:
        for _ in range(MAX_CONFLICTS):
            current, generation = self._read(message_type, name)
            changed = change(current)
            if changed is None:
                return None
            try:
                self._store.replace(name, encode_json(changed), content_type=_JSON, generation=generation)
            except ConflictError:
                continue
            return changed
        raise TransientError(f"{name} was changed by others {MAX_CONFLICTS} times in a row")

    def _read(self, message_type: type[M], name: str) -> tuple[M | None, int]:
        try:
            body, stored = self._store.read(name)
        except NotFoundError:
            return None, 0
        return decode_json(message_type, body), stored.generation
