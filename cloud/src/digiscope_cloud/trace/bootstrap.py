"""The trace's composition root."""

from typing import Final

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.audit_log.entries import NoAuditLog
from digiscope_cloud.dead_letters.bootstrap import open_desk
from digiscope_cloud.fleet.bootstrap import open_shadows
from digiscope_cloud.fleet.settings import FleetSettings
from digiscope_cloud.trace.tracer import Tracer

_PATIENCE_S: Final = 10.0


def open_tracer(settings: FleetSettings) -> Tracer:
    """Return what traces a project's captures, for a command that ends soon; it changes nothing, and notes nothing."""
    return Tracer(
        store=GcsObjectStore(settings, retry_s=_PATIENCE_S),
        dead_letters=open_desk(settings, audit_log=NoAuditLog(), actor=""),
        shadows=open_shadows(settings),
    )
