"""AES-256-GCM for images at rest: whoever takes the card out of the device finds no picture on it.

A sealed file is `DSE1`, a nonce of 12 bytes, then ciphertext and tag; the capture id is bound in, so that no file can
stand in for another. 2^32 images may share a key, https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf
section 8.3. The key is never in the state directory.
"""

import base64
import binascii
import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from digiscope_edge.ports import DamagedImageError
from digiscope_shared.errors import SettingsError

KEY_VARIABLE: Final = "DIGISCOPE_OUTBOX_KEY"
_MARK: Final = b"DSE1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_COMMAND_TIMEOUT_S: Final = 30


class ImageCipher:
    def __init__(self, key: bytes) -> None:
        self._aes = AESGCM(key)
        self.key_id = hashlib.sha256(b"digiscope-outbox-key:" + key).hexdigest()[:16]

    def seal(self, capture_id: str, content: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _MARK + nonce + self._aes.encrypt(nonce, content, capture_id.encode())

    def open(self, capture_id: str, sealed: bytes) -> bytes:
        """Return the image; DamagedImageError where the key is another or a byte was changed.

        What was kept before encryption was switched on is returned as it is: no image format starts with our mark.
        """
        if not is_sealed(sealed):
            return sealed
        nonce, ciphertext = sealed[len(_MARK) :][:_NONCE_BYTES], sealed[len(_MARK) + _NONCE_BYTES :]
        try:
            return self._aes.decrypt(nonce, ciphertext, capture_id.encode())
        except (InvalidTag, ValueError):
            raise DamagedImageError("damaged") from None


def is_sealed(content: bytes) -> bool:
    return content.startswith(_MARK)


def check_key(cipher: ImageCipher | None, note: Path, images: Path) -> None:
    """Remember in `note` which key seals; raise SettingsError before a wrong one makes good images look damaged."""
    known = note.read_text(encoding="ascii") if note.exists() else ""
    given = cipher.key_id if cipher is not None else ""
    if known == given:
        return
    if known and any(is_sealed(_first_bytes(path)) for path in images.iterdir()):
        missing = f"{KEY_VARIABLE} or outbox.key_command must give the key {known}"
        raise SettingsError(f"images in {images} are sealed with another key: {missing}")
    if cipher is None:
        note.unlink(missing_ok=True)
    else:
        note.touch(mode=0o600)
        note.write_text(given, encoding="ascii")


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_MARK))


def find_cipher(key_command: Sequence[str], environment: Mapping[str, str] = os.environ) -> ImageCipher | None:
    """Return the cipher for the key in DIGISCOPE_OUTBOX_KEY, else for what `key_command` prints; None without either.

    Raises:
        SettingsError: the command failed, or what came is no key: 32 bytes in Base64.
    """
    encoded, source = environment.get(KEY_VARIABLE, ""), KEY_VARIABLE
    if not encoded and key_command:
        encoded, source = _printed_by(key_command), f"outbox.key_command {key_command[0]}"
    if not encoded:
        return None
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        # Never the value: it may be a key with a typing error.
        raise SettingsError(f"{source}: expected 32 bytes in Base64, such as `openssl rand -base64 32` prints")
    return ImageCipher(key)


def _printed_by(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, timeout=_COMMAND_TIMEOUT_S)  # noqa: S603 the operator's own setting
        return done.stdout.decode("ascii")
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise SettingsError(f"outbox.key_command {command[0]}: gave no key: {type(error).__name__}") from error
