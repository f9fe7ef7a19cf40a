"""A device whose clock is wrong can still dial its own broker, and nobody else can make use of that."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digiscope_cloud.identity import certificates
from digiscope_cloud.identity.certificates import Authority, Role
from digiscope_shared.errors import SettingsError
from digiscope_shared.mqtt.certificate_dates import clock_is_plausible
from digiscope_shared.mqtt.settings import MqttSettings

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)
AUTHORITY = certificates.new_authority("north", NOW - 10 * YEAR)


def write_leaf(folder: Path, role: Role, at: datetime, authority: Authority = AUTHORITY) -> tuple[str, str]:
    key = certificates.new_key()
    certificate = certificates.issue(
        authority, name="clinic-07", role=role, key=key.public_key(), now=at, validity=YEAR / 4, hosts=("localhost",)
    )
    cert_file, key_file = folder / f"{role}.crt", folder / f"{role}.key"
    cert_file.write_bytes(certificates.certificate_pem(certificate))
    key_file.write_bytes(certificates.key_pem(key))
    return str(cert_file), str(key_file)


def dial(folder: Path, *, device_at: datetime, broker_at: datetime, broker_authority: Authority = AUTHORITY) -> None:
    """Shake hands as the device does, in memory; SSLCertVerificationError where it refuses the broker."""
    (folder / "ca.crt").write_bytes(certificates.certificate_pem(AUTHORITY.certificate))
    cert_file, key_file = write_leaf(folder, Role.DEVICE, device_at)
    device = MqttSettings(ca_file=str(folder / "ca.crt"), cert_file=cert_file, key_file=key_file).tls_context()
    assert device is not None
    broker = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    broker.load_cert_chain(*write_leaf(folder, Role.BROKER, broker_at, broker_authority))
    to_device, to_broker = ssl.MemoryBIO(), ssl.MemoryBIO()
    dialling = device.wrap_bio(to_device, to_broker, server_hostname="localhost")
    answering = broker.wrap_bio(to_broker, to_device, server_side=True)
    for side in (dialling, answering):
        with pytest.raises(ssl.SSLWantReadError):
            side.do_handshake()
    dialling.do_handshake()


def test_dates_count_while_the_clock_is_plausible(tmp_path: Path) -> None:
    dial(tmp_path, device_at=NOW, broker_at=NOW)
    for broker_at in (NOW - YEAR, NOW + YEAR):
        with pytest.raises(ssl.SSLCertVerificationError, match=r"expired|not yet valid"):
            dial(tmp_path, device_at=NOW, broker_at=broker_at)


@pytest.mark.parametrize("behind", [YEAR, -YEAR])
def test_a_clock_that_our_own_certificate_proves_wrong_keeps_no_device_out(tmp_path: Path, behind: timedelta) -> None:
    dial(tmp_path, device_at=NOW + behind, broker_at=NOW + behind)


def test_a_wrong_clock_opens_no_door_to_a_foreign_broker(tmp_path: Path) -> None:
    foreign = certificates.new_authority("north", NOW - 10 * YEAR)
    with pytest.raises(ssl.SSLCertVerificationError):
        dial(tmp_path, device_at=NOW + YEAR, broker_at=NOW + YEAR, broker_authority=foreign)


def test_the_edges_of_validity(tmp_path: Path) -> None:
    path = Path(write_leaf(tmp_path, Role.DEVICE, NOW)[0])
    assert clock_is_plausible(path, NOW)
    assert not clock_is_plausible(path, datetime(1970, 1, 1, tzinfo=UTC))
    assert not clock_is_plausible(path, datetime(2040, 1, 1, tzinfo=UTC))


def test_a_certificate_that_is_none_is_said(tmp_path: Path) -> None:
    cert_file, key_file = write_leaf(tmp_path, Role.DEVICE, NOW)
    Path(cert_file).write_text("no certificate")
    with pytest.raises(SettingsError, match="TLS can't be set up"):
        MqttSettings(cert_file=cert_file, key_file=key_file).tls_context()
