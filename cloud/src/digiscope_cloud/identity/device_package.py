"""The one file that goes to a device: a tar archive whose members carry mode 0600.

`digiscope-edge enroll FILE` unpacks it; `tar -xpf` does too.
"""

import io
import tarfile
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import yaml

SETTINGS: Final = "enrolment.yaml"
CA: Final = "ca.crt"
CERTIFICATE: Final = "device.crt"
KEY: Final = "device.key"
TRUSTED_KEYS: Final = "signing.pub"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePackage:
    """`key_pem` is empty where the device made its key itself and keeps it."""

    device_id: str
    broker_host: str
    broker_port: int
    ca_pem: bytes
    certificate_pem: bytes
    trusted_keys: bytes
    key_pem: bytes = b""


def pack(package: DevicePackage, now: datetime) -> bytes:
    """Return the archive; the file names inside are fixed, so that nothing can point out of the folder."""
    contents = {
        SETTINGS: yaml.safe_dump(_settings(package), sort_keys=False).encode(),
        CA: package.ca_pem,
        CERTIFICATE: package.certificate_pem,
        TRUSTED_KEYS: package.trusted_keys,
    } | ({KEY: package.key_pem} if package.key_pem else {})
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o600, int(now.timestamp())
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def _settings(package: DevicePackage) -> dict[str, Any]:
    return {
        "device_id": package.device_id,
        "mqtt": {
            "host": package.broker_host,
            "port": package.broker_port,
            "ca_file": CA,
            "cert_file": CERTIFICATE,
            "key_file": KEY,
        },
        "trusted_keys_file": TRUSTED_KEYS,
    }
