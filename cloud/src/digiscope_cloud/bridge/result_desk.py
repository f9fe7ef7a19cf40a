"""Answers a device that has waited in vain for the result of a stored capture."""

import structlog

from digiscope_cloud.bridge import custody
from digiscope_cloud.bridge.ports import DeviceDownlink
from digiscope_cloud.ports import EventPublisher, NotFoundError, ObjectStore
from digiscope_shared import codec, object_names
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.messages import AnalysisResult, CaptureRecord, ResultRequest
from digiscope_shared.mqtt_topics import Channel, DeviceTopic
from digiscope_shared.pubsub_topics import PubsubTopic

_log = structlog.get_logger()


class ResultDesk:
    def __init__(self, *, store: ObjectStore, publisher: EventPublisher, downlink: DeviceDownlink) -> None:
        self._store = store
        self._publisher = publisher
        self._downlink = downlink

    def answer(self, device_id: str, request: ResultRequest) -> None:
        """Send the results that are stored; without any, ask the worker again.

        Raises:
            PermanentError: `capture-id-taken` where the capture isn't the asker's, `bad-body` where it isn't stored.
        """
        record = self._record(request.capture_id)
        if record.device_id != device_id:
            raise PermanentError(Reason.CAPTURE_ID_TAKEN, "asked for another device's capture")
        results = [stored.name for stored in self._store.list(object_names.results_prefix(request.capture_id))]
        _log.info("result_asked_for", capture_id=request.capture_id, results=len(results))
        if not results:
            self._publisher.publish(PubsubTopic.CAPTURES, custody.record_envelope(record))
        for name in results:
            body, _ = self._store.read(name)
            self._downlink.publish(str(DeviceTopic(device_id=device_id, channel=Channel.RESULTS)), _envelope(body))

    def _record(self, capture_id: str) -> CaptureRecord:
        try:
            body, _ = self._store.read(object_names.capture_record(capture_id))
        except NotFoundError as error:
            raise PermanentError(Reason.BAD_BODY, f"capture {capture_id} is not stored") from error
        return codec.decode_json(CaptureRecord, body)


def _envelope(body: bytes) -> Envelope:
    result = codec.decode_json(AnalysisResult, body)
    attributes = {
        "schema": result.SCHEMA,
        "device_id": result.device_id,
        "capture_id": result.capture_id,
        "traceparent": result.traceparent,
    }
    return Envelope(attributes=attributes, body=body)
