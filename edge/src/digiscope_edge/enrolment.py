"""Becoming a member of a fleet: a request for a key that stays here, and the package that comes back.

All files have fixed names in one folder, and each connection reads them anew: a renewal changes no settings and needs
no restart.
"""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from digiscope_shared.errors import SettingsError
from digiscope_shared.mqtt_topics import is_device_id
from digiscope_shared.settings_file import read_yaml

ENROLMENT: Final = "enrolment.yaml"
CA: Final = "ca.crt"
CERTIFICATE: Final = "device.crt"
KEY: Final = "device.key"
PENDING_KEY: Final = "device.key.pending"
TRUSTED_KEYS: Final = "signing.pub"
SETTINGS: Final = "edge.yaml"
_EXPECTED: Final = frozenset({ENROLMENT, CA, CERTIFICATE, TRUSTED_KEYS})
_MAX_MEMBER_BYTES: Final = 64 * 1024


def make_request(device_id: str, folder: Path) -> Path:
    """Make a key that waits beside the one in use, and a request for it; return the request's path."""
    if not is_device_id(device_id):
        raise SettingsError(f"{device_id!r} can't be a device id: 1 to 63 of a-z, 0-9, '.', '_', '-'")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{device_id}.csr"
    _make_folder(folder)
    _write_private(folder / PENDING_KEY, pem)
    _write_private(path, request.public_bytes(serialization.Encoding.PEM))
    return path


def install(package: Path, folder: Path) -> tuple[str, bool]:
    """Put a package's files in place, checked against each other; return the device id and whether settings are new.

    Raises:
        SettingsError: not a package, for another device, or its certificate fits no key that we have.
    """
    files = _unpack(package)
    _make_folder(folder)
    enrolment = _read_enrolment(files[ENROLMENT])
    device_id = enrolment["device_id"]
    key = files.get(KEY) or _pending_key(folder)
    _check_pair(files[CERTIFICATE], key, device_id)
    settings = folder / SETTINGS
    is_new = not settings.exists()
    if not is_new:
        _check_same_device(settings, device_id)
    # The key last but one: until both of the pair are there, a restart finds the old pair or fails loudly.
    for name, content in {
        TRUSTED_KEYS: files[TRUSTED_KEYS],
        CA: files[CA],
        KEY: key,
        CERTIFICATE: files[CERTIFICATE],
    }.items():
        _write_private(folder / name, content)
    (folder / PENDING_KEY).unlink(missing_ok=True)
    if is_new:
        _write_private(settings, _settings_text(enrolment, folder.resolve()).encode())
    return device_id, is_new


def _unpack(package: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(package.read_bytes()), mode="r:") as tar:
            files = {member.name: _content(tar, member) for member in tar.getmembers()}
    except (OSError, tarfile.TarError, ValueError, EOFError) as error:
        raise SettingsError(f"{package}: not an enrolment package: {error}") from error
    if not _EXPECTED <= files.keys() <= _EXPECTED | {KEY}:
        raise SettingsError(f"{package}: not an enrolment package: it holds {', '.join(sorted(files)) or 'nothing'}")
    return files


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member) if member.isreg() and member.size <= _MAX_MEMBER_BYTES else None
    if file is None:
        raise ValueError(f"{member.name[:80]!r} is no small file")
    return file.read()


def _read_enrolment(content: bytes) -> Mapping[str, Any]:
    try:
        enrolment = read_yaml(content.decode(), source=ENROLMENT)
        host, port = str(enrolment["mqtt"]["host"]), int(enrolment["mqtt"]["port"])
        device_id = enrolment["device_id"]
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise SettingsError(f"{ENROLMENT}: can't be read: {error}") from error
    if not isinstance(device_id, str) or not is_device_id(device_id):
        raise SettingsError(f"{ENROLMENT}: {device_id!r} can't be a device id")
    return {"device_id": device_id, "host": host, "port": port}


def _pending_key(folder: Path) -> bytes:
    try:
        return (folder / PENDING_KEY).read_bytes()
    except OSError as error:
        raise SettingsError(f"the package holds no key and {folder / PENDING_KEY} can't be read: {error}") from error


def _check_pair(certificate_pem: bytes, key_pem: bytes, device_id: str) -> None:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
        names = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        fits = certificate.public_key() == key.public_key()
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise SettingsError(f"the certificate or its key can't be read: {error}") from error
    if names != [device_id]:
        raise SettingsError(f"the certificate is for {names}, not for {device_id!r}")
    if not fits:
        raise SettingsError("the certificate is for another key than ours: was the request made anew since?")


def _check_same_device(settings: Path, device_id: str) -> None:
    try:
        known = read_yaml(settings.read_text(encoding="utf-8"), source=str(settings))
        same = isinstance(known, dict) and known.get("device_id") == device_id
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{settings}: can't be read: {error}") from error
    if not same:
        raise SettingsError(f"{settings} is for another device than {device_id!r}; nothing was changed")


def _settings_text(enrolment: Mapping[str, Any], folder: Path) -> str:
    settings = {
        "device_id": enrolment["device_id"],
        "mqtt": {
            "host": enrolment["host"],
            "port": enrolment["port"],
            "ca_file": str(folder / CA),
            "cert_file": str(folder / CERTIFICATE),
            "key_file": str(folder / KEY),
        },
        "trusted_keys_file": str(folder / TRUSTED_KEYS),
    }
    return yaml.safe_dump(settings, sort_keys=False)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{folder}: can't be made: {error.strerror}; run it with sudo?") from error
    if not os.access(folder, os.W_OK):
        raise SettingsError(f"{folder}: can't be written; run it with sudo?")


def _write_private(path: Path, content: bytes) -> None:
    """Write whole, readable by the agent alone: root enrolls, and the folder says who the agent is."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    owner = path.parent.stat()
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        if owner.st_uid == 0 and owner.st_gid != 0:
            # root's folder, opened to the agent's group, as deploy/README.md makes it: so that it can't change them.
            os.fchmod(descriptor, 0o640)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    partial.replace(path)
