"""Ed25519 signatures of the fleet: a device obeys only what its own fleet has signed, for it, and for this purpose.

A signature is the text `ed25519:<key id>:<base64>`; it covers the JSON fields of its document but itself. What is
signed starts with a purpose, so that a config's signature can't be shown for a model manifest's. Needs the extra
`signing`.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from digiscope_shared.errors import PermanentError, Reason, SettingsError

# The field that holds the signature, in what it signs: the two are written, stored and sent as one.
SIGNATURE: Final = "signature"
_ALGORITHM: Final = "ed25519"


class Purpose(StrEnum):
    """What a signature is good for; part of the signed bytes."""

    CONFIG = "digiscope.config/1"
    MODEL_MANIFEST = "digiscope.model-manifest/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """The fleet's private half; never on a device."""

    private: Ed25519PrivateKey

    @property
    def public_line(self) -> str:
        """Return one line of a trusted-keys file."""
        return f"{_ALGORITHM} {base64.b64encode(self.private.public_key().public_bytes_raw()).decode()}"

    def sign(self, purpose: Purpose, *parts: bytes) -> str:
        signature = self.private.sign(_signed_bytes(purpose, parts))
        return f"{_ALGORITHM}:{_key_id(self.private.public_key())}:{base64.b64encode(signature).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKeys:
    """The public keys that a device obeys, by key id: two while the fleet changes its key."""

    keys: Mapping[str, Ed25519PublicKey]

    def verify(self, signature: str, purpose: Purpose, *parts: bytes) -> None:
        """Return where one of the keys signed exactly this.

        Raises:
            PermanentError: `bad-signature`: missing, malformed, of an unknown key, or of something else.
        """
        algorithm, _, rest = signature.partition(":")
        key_id, _, encoded = rest.partition(":")
        key = self.keys.get(key_id)
        if algorithm != _ALGORITHM or key is None:
            raise PermanentError(Reason.BAD_SIGNATURE, "not signed by this fleet" if signature else "not signed")
        try:
            key.verify(base64.b64decode(encoded, validate=True), _signed_bytes(purpose, parts))
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise PermanentError(Reason.BAD_SIGNATURE, "the signature doesn't fit the content") from error


def new_signing_key() -> SigningKey:
    return SigningKey(private=Ed25519PrivateKey.generate())


def signing_key_pem(key: SigningKey) -> bytes:
    """Return an unencrypted PKCS #8 key; its file's mode protects it."""
    return key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_signing_key(path: Path) -> SigningKey:
    """Read the private key; SettingsError where it isn't one."""
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{path}: can't read the signing key: {error}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsError(f"{path}: not an Ed25519 key")
    return SigningKey(private=private)


def load_trusted_keys(path: Path) -> TrustedKeys:
    """Read a trusted-keys file: one `ed25519 <base64>` a line, `#` starts a comment; SettingsError names the line."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: can't read the fleet's keys: {error}") from error
    keys = [_parse_public_line(line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if _says(line)]
    if not keys:
        raise SettingsError(f"{path}: names no key")
    return TrustedKeys(keys={_key_id(key): key for key in keys})


def sign_config(key: SigningKey, device_id: str, config: Mapping[str, Any]) -> str:
    """Sign a desired config's JSON fields for one device: another device's copy of it is worth nothing."""
    return key.sign(Purpose.CONFIG, device_id.encode(), _canonical(config))


def verify_config(keys: TrustedKeys, device_id: str, body: bytes) -> None:
    """Raise PermanentError `bad-signature` unless the fleet signed this body for this device."""
    _verify_fields(keys, Purpose.CONFIG, body, device_id.encode())


def sign_manifest(key: SigningKey, manifest: Mapping[str, Any]) -> str:
    """Sign a model manifest's JSON fields."""
    return key.sign(Purpose.MODEL_MANIFEST, _canonical(manifest))


def verify_manifest(keys: TrustedKeys, body: bytes) -> None:
    """Raise PermanentError `bad-signature` unless the fleet signed this manifest."""
    _verify_fields(keys, Purpose.MODEL_MANIFEST, body)


def _verify_fields(keys: TrustedKeys, purpose: Purpose, body: bytes, *context: bytes) -> None:
    # The codec's own parser: where two parsers read a body differently, one would check what the other doesn't obey.
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
        canonical = _canonical(fields)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise PermanentError(Reason.BAD_SIGNATURE, f"no JSON object that could be signed: {error}") from error
    signature = fields.get(SIGNATURE)
    keys.verify(signature if isinstance(signature, str) else "", purpose, *context, canonical)


def _canonical(fields: Mapping[str, Any]) -> bytes:
    """Return the bytes that are signed: everything but the signature, however it was written down."""
    unsigned = {name: value for name, value in fields.items() if name != SIGNATURE}
    return json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _signed_bytes(purpose: Purpose, parts: tuple[bytes, ...]) -> bytes:
    # Each part goes in with its length: ("ab", "c") and ("a", "bc") must not sign alike.
    return b"".join(len(part).to_bytes(8, "big") + part for part in (purpose.encode(), *parts))


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _parse_public_line(line: str, place: str) -> Ed25519PublicKey:
    match line.split()[:2]:
        case [algorithm, encoded] if algorithm == _ALGORITHM:
            try:
                return Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded, validate=True))
            except ValueError as error:
                raise SettingsError(f"{place}: not an Ed25519 public key: {error}") from error
    raise SettingsError(f"{place}: expected `{_ALGORITHM} <base64>`")
