"""The dead letters' composition root."""

from datetime import UTC, datetime
from typing import Final

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.adapters.pubsub_letter_box import PubsubLetterBox
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.audit_log.entries import AuditLog
from digiscope_cloud.bridge.byte_budget import ByteBudget
from digiscope_cloud.bridge.capture_desk import CaptureDesk
from digiscope_cloud.bridge.directive_downlink import DirectiveDownlink
from digiscope_cloud.bridge.result_desk import ResultDesk
from digiscope_cloud.bridge.settings import ASSEMBLY_COPIES
from digiscope_cloud.bridge.uplink_desk import UplinkDesk
from digiscope_cloud.dead_letters.desk import DeadLetterDesk
from digiscope_cloud.dead_letters.replay import Replayer
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.messages.capture import MAX_IMAGE_BYTES

# A person waits: what fails for this long is said, and the letters stay.
_PATIENCE_S: Final = 10.0


def open_desk(settings: CloudSettings, *, audit_log: AuditLog, actor: str) -> DeadLetterDesk:
    """Return a project's dead letters, for a command that ends soon."""
    publisher = PubsubPublisher(settings, confirm_within_s=_PATIENCE_S)
    store = GcsObjectStore(settings, retry_s=_PATIENCE_S)
    downlink = DirectiveDownlink(publisher)
    captures = CaptureDesk(
        store=store,
        publisher=publisher,
        assembly=ByteBudget(ASSEMBLY_COPIES * MAX_IMAGE_BYTES),
        utc_now=lambda: datetime.now(UTC),
        audit_log=audit_log,
    )
    results = ResultDesk(store=store, publisher=publisher, downlink=downlink)
    uplink = UplinkDesk(captures=captures, results=results, publisher=publisher)
    replayer = Replayer(publisher=publisher, uplink=uplink, downlink=downlink)
    return DeadLetterDesk(box=PubsubLetterBox(settings), replayer=replayer, audit_log=audit_log, actor=actor)
