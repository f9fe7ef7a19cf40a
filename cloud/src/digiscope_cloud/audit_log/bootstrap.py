"""Which audit log a command writes to: DIGISCOPE_AUDIT_LOG, where its settings name none."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from digiscope_cloud.audit_log.entries import AuditLog, NoAuditLog
from digiscope_cloud.audit_log.file_audit_log import FileAuditLog

VARIABLE: Final = "DIGISCOPE_AUDIT_LOG"


def open_audit_log(path: str = "", environment: Mapping[str, str] = os.environ) -> AuditLog:
    path = path or environment.get(VARIABLE, "")
    return FileAuditLog(Path(path)) if path else NoAuditLog()
