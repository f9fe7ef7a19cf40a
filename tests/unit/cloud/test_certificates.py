import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given
from hypothesis import strategies as st

from digiscope_cloud.identity import certificates
from digiscope_cloud.identity.certificates import Revocation, Role
from digiscope_shared.errors import SettingsError

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
AUTHORITY = certificates.new_authority("north", NOW)
KEY = certificates.new_key()


def issued(name: str = "clinic-07", role: Role = Role.DEVICE, hosts: tuple[str, ...] = ()) -> x509.Certificate:
    return certificates.issue(
        AUTHORITY, name=name, role=role, key=KEY.public_key(), now=NOW, validity=timedelta(days=90), hosts=hosts
    )


def test_the_common_name_is_the_identity_and_nothing_else_is() -> None:
    certificate = issued()
    assert [(each.oid, each.value) for each in certificate.subject] == [(NameOID.COMMON_NAME, "clinic-07")]
    assert certificate.not_valid_after_utc == NOW + timedelta(days=90)
    assert certificate.not_valid_before_utc < NOW


@pytest.mark.parametrize(
    ("role", "purpose"),
    [
        (Role.DEVICE, ExtendedKeyUsageOID.CLIENT_AUTH),
        (Role.SERVICE, ExtendedKeyUsageOID.CLIENT_AUTH),
        (Role.BROKER, ExtendedKeyUsageOID.SERVER_AUTH),
    ],
)
def test_a_leaf_has_one_purpose(role: Role, purpose: x509.ObjectIdentifier) -> None:
    certificate = issued(role=role)
    assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_brokers_certificate_verifies_for_its_hosts_alone() -> None:
    broker = issued("broker", Role.BROKER, ("broker.example", "10.0.0.7"))
    policy = PolicyBuilder().store(Store([AUTHORITY.certificate])).time(NOW)
    policy.build_server_verifier(x509.DNSName("broker.example")).verify(broker, [])
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("other.example")).verify(broker, [])
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("clinic-07")).verify(issued(hosts=("clinic-07",)), [])


def test_the_list_names_what_is_revoked_and_is_signed() -> None:
    gone = Revocation(serial=issued().serial_number, revoked_at=NOW)
    revoked = certificates.revocation_list(AUTHORITY, [gone], number=3, now=NOW)
    assert [each.serial_number for each in revoked] == [gone.serial]
    key = AUTHORITY.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert revoked.is_signature_valid(key)
    # A broker in a clinic may see no operator for years.
    assert revoked.next_update_utc is not None
    assert revoked.next_update_utc > NOW + timedelta(days=9 * 365)


def test_an_authority_survives_its_files() -> None:
    again = certificates.load_authority(
        certificates.certificate_pem(AUTHORITY.certificate), certificates.key_pem(AUTHORITY.key)
    )
    assert again.certificate == AUTHORITY.certificate


def test_a_request_proves_its_key() -> None:
    request = certificates.new_request("clinic-08", KEY)
    assert certificates.key_of_request(request, expected_name="clinic-08") == KEY.public_key()
    with pytest.raises(SettingsError, match="not for 'clinic-09'"):
        certificates.key_of_request(request, expected_name="clinic-09")


def test_a_request_with_a_weaker_key_is_refused() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clinic-08")])
    key = ec.generate_private_key(ec.SECP192R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    with pytest.raises(SettingsError, match="P-256"):
        certificates.key_of_request(request.public_bytes(serialization.Encoding.PEM), expected_name="clinic-08")


@given(st.binary(max_size=300))
def test_any_bytes_as_request_are_refused_with_a_reason(content: bytes) -> None:
    with pytest.raises(SettingsError):
        certificates.key_of_request(content, expected_name="clinic-08")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_request_whose_signed_part_was_touched_is_refused(place: int, change: int) -> None:
    request = x509.load_pem_x509_csr(certificates.new_request("clinic-08", KEY))
    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    # Outside of it, the signature's count of unused bits says nothing and may change where its last bit is 0.
    signed = request.tbs_certrequest_bytes
    der[der.index(signed) + place % len(signed)] ^= change
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n%b-----END CERTIFICATE REQUEST-----\n" % base64.encodebytes(der)
    with pytest.raises(SettingsError):
        certificates.key_of_request(pem, expected_name="clinic-08")
