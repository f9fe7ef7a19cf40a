"""What is signed, and what asks for a signature."""

import base64
import io
import json
import tarfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st

from digiscope_cloud.identity import certificates
from digiscope_edge import enrolment
from digiscope_shared import signing
from digiscope_shared.errors import SettingsError
from tests.fuzz import corpus
from tests.fuzz.json_mutation import bodies
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Bytes, Target

_KEY: Final = signing.SigningKey(private=Ed25519PrivateKey.from_private_bytes(bytes(32)))
_DEVICE: Final = "clinic-7"
_UNSIGNED: Final = {"schema": "digiscope.config/1", "version": 3, "config": {"jpeg_quality": 80, "name": "Zürich"}}
_SIGNED: Final = _UNSIGNED | {"signature": signing.sign_config(_KEY, _DEVICE, _UNSIGNED)}
_MANIFEST: Final = {"id": "m"} | {"signature": signing.sign_manifest(_KEY, {"id": "m"})}
_TRUSTED: Final = signing.TrustedKeys(keys={str(_SIGNED["signature"]).split(":")[1]: _KEY.private.public_key()})
_DEVICE_KEY: Final = ec.derive_private_key(7, ec.SECP256R1())
PUBLIC_LINE: Final = _KEY.public_line.encode()


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="digiscope-fuzz-")


def _written(name: str, content: bytes) -> Path:
    path = Path(_folder().name) / name
    path.write_bytes(content)
    return path


def check_signed_config(content: bytes) -> None:
    """Verify it: what passes says what was signed, and nothing else."""
    signing.verify_config(_TRUSTED, _DEVICE, content)
    assert json.loads(content) == _SIGNED


def check_signed_manifest(content: bytes) -> None:
    """Verify it as a bundle's manifest: no config's signature passes."""
    signing.verify_manifest(_TRUSTED, content)
    assert json.loads(content) == _MANIFEST


def check_trusted_keys(content: bytes) -> None:
    assert signing.load_trusted_keys(_written("signing.pub", content)).keys


def check_signing_key(content: bytes) -> None:
    signing.load_signing_key(_written("signing.key", content))


def check_request(content: bytes) -> None:
    """Read it as a request to join: the key of whoever asks comes out, and it is the one that signed."""
    key = certificates.key_of_request(content, expected_name=_DEVICE)
    assert key == _DEVICE_KEY.public_key()


def check_package(content: bytes) -> None:
    """Install it into a folder of its own, as `digiscope-edge enroll` does."""
    with TemporaryDirectory(dir=_folder().name) as folder:
        enrolment.install(_written("package.tar", content), Path(folder))


def package(members: dict[str, bytes]) -> bytes:
    """Write an enrolment package; no times, no owners."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def as_pem(der: bytes, label: str) -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(der) + f"-----END {label}-----\n".encode()


def _requests() -> Bytes:
    # From the corpus: a signature is made with chance, and a run must be repeatable.
    pem = (corpus.FOLDER / "certificate-requests" / "valid.csr").read_bytes()
    der = x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER)
    return mutated([pem]) | mutated([der]).map(lambda damaged: as_pem(damaged, "CERTIFICATE REQUEST"))


def _packages() -> Bytes:
    whole = (corpus.FOLDER / "enrolment-packages" / "valid.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        members = {member.name: _content(tar, member) for member in tar.getmembers()}
    odd_enrolment = b"device_id: clinic-7\nmqtt: {host: b, port: .inf}\n"
    values = mutated([odd_enrolment, *members.values()])
    der = x509.load_pem_x509_certificate(members[enrolment.CERTIFICATE]).public_bytes(serialization.Encoding.DER)
    certificates_ = mutated([der]).map(lambda damaged: as_pem(damaged, "CERTIFICATE"))
    return st.one_of(
        mutated([whole]),
        st.builds(lambda name, content: package(members | {name: content}), st.sampled_from(sorted(members)), values),
        certificates_.map(lambda pem: package(members | {enrolment.CERTIFICATE: pem})),
    )


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


TARGETS: Final = (
    Target(name="signed-configs", inputs=bodies([_SIGNED]), check=check_signed_config),
    Target(name="signed-manifests", inputs=bodies([_MANIFEST, _SIGNED]), check=check_signed_manifest, weight=3),
    Target(
        name="trusted-keys",
        inputs=mutated([b"# fleet\n" + PUBLIC_LINE + b"\n"]),
        check=check_trusted_keys,
        refusals=(SettingsError,),
        weight=3,
    ),
    Target(
        name="signing-keys",
        inputs=mutated([signing.signing_key_pem(_KEY), certificates.key_pem(_DEVICE_KEY)]),
        check=check_signing_key,
        refusals=(SettingsError,),
        weight=3,
    ),
    Target(name="certificate-requests", inputs=st.deferred(_requests), check=check_request, refusals=(SettingsError,)),
    Target(
        name="enrolment-packages",
        inputs=st.deferred(_packages),
        check=check_package,
        refusals=(SettingsError,),
        weight=3,
    ),
)
