import io
import stat
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from digiscope_cloud.audit_log.entries import AuditEntry
from digiscope_cloud.identity import certificates
from digiscope_cloud.identity.authority import FleetAuthority
from digiscope_cloud.identity.certificates import Role
from digiscope_cloud.identity.fleet_folder import FleetFolder
from digiscope_cloud.identity.register import Standing
from digiscope_shared.errors import SettingsError, TransientError

START = datetime(2026, 5, 4, 10, tzinfo=UTC)
SETTINGS = "fleet: north\nbroker: {host: broker.example}\ndevice_valid_days: 90\n"


class FakeGate:
    def __init__(self) -> None:
        self.acts: list[str] = []
        self.away = False

    def refuse(self, revocation_list_pem: bytes) -> None:
        if self.away:
            raise TransientError("the broker is away")
        self.acts.append(f"refuse {len(x509.load_pem_x509_crl(revocation_list_pem))}")

    def cut_off(self, client_id: str) -> None:
        self.acts.append(f"cut off {client_id}")


class FakeAuditLog:
    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def append(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


class Fleet:
    def __init__(self, path: Path) -> None:
        self.now = START
        self.gate = FakeGate()
        self.audit_log = FakeAuditLog()
        self.folder = FleetFolder.create(path, SETTINGS, START)
        self.authority = FleetAuthority(self.folder, audit_log=self.audit_log, actor="ann", now=lambda: self.now)

    def standings(self) -> list[Standing]:
        return [each.standing(self.now) for each in self.authority.certificates()]

    def acts(self) -> list[tuple[str, str]]:
        return [(entry.act, entry.subject) for entry in self.audit_log.entries]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path / "fleet")


def unpack(package: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        assert all(stat.S_IMODE(member.mode) == 0o600 for member in tar.getmembers())
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr] # all are files


def test_a_package_holds_all_that_a_device_needs(fleet: Fleet) -> None:
    files = unpack(fleet.authority.enroll("clinic-07", Role.DEVICE).package)
    assert set(files) == {"enrolment.yaml", "ca.crt", "device.crt", "device.key", "signing.pub"}
    settings = yaml.safe_load(files["enrolment.yaml"])
    assert settings["device_id"] == "clinic-07"
    assert settings["mqtt"]["host"] == "broker.example"
    certificate = x509.load_pem_x509_certificate(files["device.crt"])
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(files["ca.crt"]))
    assert certificate.not_valid_after_utc == START + timedelta(days=90)


def test_a_key_made_on_the_device_stays_there(fleet: Fleet) -> None:
    request = certificates.new_request("clinic-08", certificates.new_key())
    files = unpack(fleet.authority.sign_request("clinic-08", request).package)
    assert "device.key" not in files


@pytest.mark.parametrize("name", ["bridge", "bridge-1", "fleet", "broker"])
def test_no_device_gets_a_services_name(fleet: Fleet, name: str) -> None:
    with pytest.raises(SettingsError, match="service"):
        fleet.authority.enroll(name, Role.DEVICE)
    fleet.authority.enroll(name, Role.SERVICE)


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "Clinic", "a" * 64, "../x", "a\nb"])
def test_no_name_widens_a_topic(fleet: Fleet, name: str) -> None:
    with pytest.raises(SettingsError):
        fleet.authority.enroll(name, Role.DEVICE)


def test_a_second_enrolment_is_refused_and_a_rotation_overlaps(fleet: Fleet) -> None:
    fleet.authority.enroll("clinic-07", Role.DEVICE)
    with pytest.raises(SettingsError, match="rotate"):
        fleet.authority.enroll("clinic-07", Role.DEVICE)
    fleet.authority.rotate("clinic-07", Role.DEVICE)
    assert fleet.standings() == [Standing.VALID, Standing.VALID]
    assert len(fleet.authority.revoke_superseded("clinic-07", fleet.gate)) == 1
    assert fleet.standings() == [Standing.REVOKED, Standing.VALID]
    with pytest.raises(SettingsError):
        fleet.authority.revoke_superseded("clinic-07", fleet.gate)


def test_a_rotation_changes_no_role(fleet: Fleet) -> None:
    fleet.authority.enroll("clinic-07", Role.DEVICE)
    with pytest.raises(SettingsError, match="revoke it first"):
        fleet.authority.rotate("clinic-07", Role.BROKER)


def test_what_is_revoked_is_on_the_list_before_it_is_shown_out(fleet: Fleet) -> None:
    fleet.authority.enroll("clinic-07", Role.DEVICE)
    fleet.authority.rotate("clinic-07", Role.DEVICE)
    fleet.authority.enroll("clinic-08", Role.DEVICE)
    revoked = fleet.authority.revoke("clinic-07", fleet.gate)
    assert fleet.gate.acts == ["refuse 2", "cut off clinic-07"]
    assert fleet.folder.revoked_serials() == [int(each.serial, 16) for each in revoked]
    assert fleet.standings() == [Standing.REVOKED, Standing.REVOKED, Standing.VALID]


def test_a_revocation_that_the_broker_missed_is_done_again(fleet: Fleet) -> None:
    fleet.authority.enroll("clinic-07", Role.DEVICE)
    fleet.gate.away = True
    with pytest.raises(TransientError):
        fleet.authority.revoke("clinic-07", fleet.gate)
    assert fleet.standings() == [Standing.REVOKED]
    fleet.gate.away = False
    assert fleet.authority.revoke("clinic-07", fleet.gate) == []
    assert fleet.gate.acts == ["refuse 1", "cut off clinic-07"]
    with pytest.raises(SettingsError):
        fleet.authority.revoke("clinic-99", fleet.gate)


def test_the_list_forgets_what_has_expired_anyway(fleet: Fleet) -> None:
    fleet.authority.enroll("clinic-07", Role.DEVICE)
    fleet.authority.revoke("clinic-07", fleet.gate)
    fleet.now = START + timedelta(days=92)
    fleet.authority.enroll("clinic-08", Role.DEVICE)
    assert fleet.folder.revoked_serials() == []


def test_a_certificate_asks_for_renewal_before_it_expires(fleet: Fleet) -> None:
    fleet.authority.enroll("clinic-07", Role.DEVICE)
    seen = []
    for days in (59, 61, 90):
        fleet.now = START + timedelta(days=days)
        seen += fleet.standings()
    assert seen == [Standing.VALID, Standing.RENEW, Standing.EXPIRED]
    # What has expired is no obstacle to a new enrolment.
    fleet.authority.enroll("clinic-07", Role.DEVICE)


def test_every_act_is_in_the_audit_log(fleet: Fleet) -> None:
    fleet.authority.enroll("clinic-07", Role.DEVICE)
    fleet.authority.rotate("clinic-07", Role.DEVICE)
    fleet.authority.revoke("clinic-07", None)
    expected = [("enrolled", "clinic-07"), ("rotated", "clinic-07"), ("revoked", "clinic-07"), ("revoked", "clinic-07")]
    assert fleet.acts() == expected
    assert {entry.actor for entry in fleet.audit_log.entries} == {"ann"}


def test_the_folder_is_its_owners_alone(fleet: Fleet) -> None:
    path = fleet.folder.path
    readable = {each.name for each in path.iterdir() if stat.S_IMODE(each.stat().st_mode) & 0o077}
    assert readable <= {"crl.pem", "lock"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (path / "ca.key").chmod(0o640)
    with pytest.raises(SettingsError, match="others may read it"):
        FleetFolder(path)


def test_a_root_is_never_replaced(fleet: Fleet) -> None:
    before = (fleet.folder.path / "ca.key").read_bytes()
    with pytest.raises(SettingsError, match="never replaced"):
        FleetFolder.create(fleet.folder.path, SETTINGS, START)
    assert (fleet.folder.path / "ca.key").read_bytes() == before
