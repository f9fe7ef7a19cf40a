"""The fleet's folder: root key, signing key, register and revocation list; for its owner's eyes only.

Nothing but `enroll`, `sign-request`, `rotate` and `revoke` needs it, so it may live on a stick that is otherwise
locked away.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import msgspec
from cryptography import x509

from digiscope_cloud.identity import certificates
from digiscope_cloud.identity.certificates import Authority
from digiscope_cloud.identity.register import Register
from digiscope_cloud.identity.settings import FleetSettings
from digiscope_shared import settings_file, signing
from digiscope_shared.errors import SettingsError

SETTINGS: Final = "fleet.yaml"
CA_CERTIFICATE: Final = "ca.crt"
CA_KEY: Final = "ca.key"
REVOCATION_LIST: Final = "crl.pem"
SIGNING_KEY: Final = "signing.key"
TRUSTED_KEYS: Final = "signing.pub"
REGISTER: Final = "register.json"
AUDIT_LOG: Final = "audit.jsonl"


class FleetFolder:
    """Opened, it has passed the check that nobody else can read it."""

    def __init__(self, path: Path) -> None:
        """Raise SettingsError where it isn't a fleet's folder, or others may read it."""
        self.path = path
        if not (path / REGISTER).is_file():
            raise SettingsError(f"{path}: no fleet here; make one with `digiscope-cloud fleet init`")
        for name in ("", CA_KEY, SIGNING_KEY):
            if stat.S_IMODE((path / name).stat().st_mode) & 0o077:
                raise SettingsError(f"{path / name}: others may read it; `chmod -R go= {path}` and ask who did")

    @classmethod
    def create(cls, path: Path, settings_text: str, now: datetime) -> Self:
        """Make root, signing key, an empty register and an empty list; never over what is there."""
        settings = settings_file.parse(FleetSettings, settings_text, source=SETTINGS)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        if (path / CA_KEY).exists():
            raise SettingsError(f"{path}: holds a fleet already; its root key is never replaced")
        authority = certificates.new_authority(settings.fleet, now)
        signing_key = signing.new_signing_key()
        write_whole(path / SETTINGS, settings_text.encode())
        write_whole(path / CA_CERTIFICATE, certificates.certificate_pem(authority.certificate))
        write_whole(path / SIGNING_KEY, signing.signing_key_pem(signing_key))
        write_whole(path / TRUSTED_KEYS, f"{signing_key.public_line} {settings.fleet}\n".encode())
        write_whole(path / CA_KEY, certificates.key_pem(authority.key))
        write_whole(path / REGISTER, msgspec.json.encode(Register()))
        folder = cls(path)
        with folder.locked() as register:
            folder.save(register.with_revoked((), now), now)
        return folder

    @contextmanager
    def locked(self) -> Iterator[Register]:
        """Give the register to one writer at a time."""
        with (self.path / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.register()

    def register(self) -> Register:
        try:
            return msgspec.json.decode(self.read(REGISTER), type=Register)
        except msgspec.DecodeError as error:
            raise SettingsError(f"{self.path / REGISTER}: {error}") from error

    def save(self, register: Register, now: datetime) -> None:
        """Write register and list; the register first, because the list can be made again from it."""
        write_whole(self.path / REGISTER, msgspec.json.format(msgspec.json.encode(register)))
        revoked = certificates.revocation_list(
            self.authority(), register.revocations(now), number=register.crl_number, now=now
        )
        write_whole(self.path / REVOCATION_LIST, certificates.certificate_pem(revoked), mode=0o644)

    def settings(self) -> FleetSettings:
        return settings_file.load(FleetSettings, self.path / SETTINGS)

    def authority(self) -> Authority:
        try:
            return certificates.load_authority(self.read(CA_CERTIFICATE), self.read(CA_KEY))
        except (ValueError, TypeError) as error:
            raise SettingsError(f"{self.path}: the root can't be read: {error}") from error

    def read(self, name: str) -> bytes:
        """Return one of the folder's files; SettingsError where it can't be read."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise SettingsError(f"{self.path / name}: can't be read: {error.strerror}") from error

    def revoked_serials(self) -> list[int]:
        """Return what the list on disk names."""
        return [each.serial_number for each in x509.load_pem_x509_crl(self.read(REVOCATION_LIST))]


def write_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write at once and whole: a reader sees the old content or the new, also after a power cut."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
