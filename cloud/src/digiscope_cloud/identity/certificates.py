"""X.509 as DigiScope uses it: one root, leaves for one purpose each, one revocation list. Pure: keys and time come in.

P-256, because the secure elements that a device may keep its key in (ATECC608, TPM 2.0) all speak it.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from digiscope_shared.errors import SettingsError

PrivateKey = ec.EllipticCurvePrivateKey

# A device's clock may run behind the authority's.
CLOCK_SKEW: Final = timedelta(minutes=10)
ROOT_VALIDITY: Final = timedelta(days=20 * 365)
# OpenSSL refuses every client once the list is past its next update, and a broker in a clinic may see no operator for
# years. The list is replaced at each revocation, not by the calendar.
CRL_VALIDITY: Final = timedelta(days=10 * 365)


class Role(StrEnum):
    """What a certificate is good for: a device or service dials, a broker answers, and neither can do the other's."""

    DEVICE = "device"
    SERVICE = "service"
    BROKER = "broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The fleet's root: what signs everything else."""

    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One line of the revocation list."""

    serial: int
    revoked_at: datetime


def new_key() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def new_authority(fleet: str, now: datetime) -> Authority:
    """Make a self-signed root for `fleet` that may sign leaves and lists, and no further authority."""
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"DigiScope fleet {fleet}")])
    certificate = (
        _builder(subject=name, issuer=name, key=key.public_key(), now=now, validity=ROOT_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, key=key)


def issue(
    authority: Authority,
    *,
    name: str,
    role: Role,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    validity: timedelta,
    hosts: Sequence[str] = (),
) -> x509.Certificate:
    """Sign `key` as `name`; `hosts` are the names and addresses that a broker is reached under."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if role is Role.BROKER else ExtendedKeyUsageOID.CLIENT_AUTH
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(subject=subject, issuer=authority.certificate.subject, key=key, now=now, validity=validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def revocation_list(
    authority: Authority, revocations: Iterable[Revocation], *, number: int, now: datetime
) -> x509.CertificateRevocationList:
    """Sign the list of what is revoked; an empty one too, because a broker that checks a list needs one to start."""
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - CLOCK_SKEW)
        .next_update(now + CRL_VALIDITY)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    for each in revocations:
        revoked = x509.RevokedCertificateBuilder().serial_number(each.serial).revocation_date(each.revoked_at)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(authority.key, hashes.SHA256())


def new_request(name: str, key: PrivateKey) -> bytes:
    """Return a PEM request for a key that stays where it was made."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def key_of_request(request_pem: bytes, *, expected_name: str) -> ec.EllipticCurvePublicKey:
    """Return the key that a request proves possession of; nothing else in the request is taken over.

    Raises:
        SettingsError: not a request, not for that name, not signed by its own key, or not a P-256 key.
    """
    try:
        request = x509.load_pem_x509_csr(request_pem)
        names = [attribute.value for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        valid, key = request.is_signature_valid, request.public_key()
    except (ValueError, TypeError, InvalidSignature, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise SettingsError(f"not a certificate request: {error}") from error
    if names != [expected_name]:
        raise SettingsError(f"the request is for {', '.join(map(repr, names)) or 'nobody'}, not for {expected_name!r}")
    if not valid or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SettingsError("the request isn't signed by a P-256 key of its own")
    return key


def certificate_pem(certificate: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: PrivateKey) -> bytes:
    """Return an unencrypted PKCS #8 key; its file's mode protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_authority(certificate: bytes, key: bytes) -> Authority:
    """Read back what `certificate_pem` and `key_pem` wrote; ValueError where it isn't that."""
    private_key = serialization.load_pem_private_key(key, password=None)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not an elliptic-curve key")
    return Authority(certificate=x509.load_pem_x509_certificate(certificate), key=private_key)


def _builder(
    *, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, validity: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
