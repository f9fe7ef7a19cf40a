import io
import os
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from digiscope_cloud.audit_log.entries import NoAuditLog
from digiscope_cloud.identity.authority import FleetAuthority
from digiscope_cloud.identity.certificates import Role
from digiscope_cloud.identity.fleet_folder import FleetFolder
from digiscope_edge.__main__ import main
from digiscope_edge.enrolment import install, make_request
from digiscope_edge.settings import load_settings
from digiscope_shared.errors import SettingsError
from digiscope_shared.signing import load_trusted_keys


def utc_now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def authority(tmp_path: Path) -> FleetAuthority:
    folder = FleetFolder.create(tmp_path / "fleet", "fleet: north\nbroker: {host: broker.example}\n", utc_now())
    return FleetAuthority(folder, audit_log=NoAuditLog(), actor="ann", now=utc_now)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "device"


def saved(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "package.tar"
    path.write_bytes(content)
    return path


def tar_of(files: dict[str, bytes], link: str = "") -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo(link)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return archive.getvalue()


def test_one_file_makes_an_agent_that_can_start(authority: FleetAuthority, tmp_path: Path, home: Path) -> None:
    package = saved(tmp_path, authority.enroll("clinic-07", Role.DEVICE).package)
    result = CliRunner().invoke(main, ["enroll", str(package), "--dir", str(home)])
    assert result.exit_code == 0, result.output
    settings = load_settings(home / "edge.yaml")
    assert (settings.device_id, settings.mqtt.host, settings.mqtt.port) == ("clinic-07", "broker.example", 8883)
    assert settings.mqtt.tls_context() is not None
    load_trusted_keys(Path(settings.trusted_keys_file))
    assert {stat.S_IMODE(each.stat().st_mode) for each in home.iterdir()} == {0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_files_are_for_whom_the_folder_is(authority: FleetAuthority, tmp_path: Path, home: Path) -> None:
    package = saved(tmp_path, authority.enroll("clinic-07", Role.DEVICE).package)
    for (uid, gid), mode in {(4711, 4712): 0o600, (0, 4712): 0o640}.items():
        folder = home / str(uid)
        folder.mkdir(parents=True)
        os.chown(folder, uid, gid)
        install(package, folder)
        found = {
            (each.stat().st_uid, each.stat().st_gid, stat.S_IMODE(each.stat().st_mode)) for each in folder.iterdir()
        }
        assert found == {(uid, gid, mode)}


def test_a_key_made_here_stays_here(authority: FleetAuthority, tmp_path: Path, home: Path) -> None:
    request = make_request("clinic-08", home)
    package = authority.sign_request("clinic-08", request.read_bytes()).package
    assert b"PRIVATE KEY" not in package
    assert install(saved(tmp_path, package), home) == ("clinic-08", True)
    assert load_settings(home / "edge.yaml").mqtt.tls_context() is not None


def test_a_renewal_keeps_the_settings_and_the_old_key_until_then(
    authority: FleetAuthority, tmp_path: Path, home: Path
) -> None:
    install(saved(tmp_path, authority.enroll("clinic-07", Role.DEVICE).package), home)
    with (home / "edge.yaml").open("a") as settings:
        settings.write("watched_folder: /srv/images # by hand\n")
    before = {name: (home / name).read_bytes() for name in ("edge.yaml", "device.key", "device.crt")}
    request = make_request("clinic-07", home)
    assert {name: (home / name).read_bytes() for name in before} == before
    package = authority.sign_request("clinic-07", request.read_bytes(), renews=True).package
    assert install(saved(tmp_path, package), home) == ("clinic-07", False)
    assert (home / "edge.yaml").read_bytes() == before["edge.yaml"]
    assert (home / "device.key").read_bytes() != before["device.key"]
    assert load_settings(home / "edge.yaml").mqtt.tls_context() is not None


def test_what_doesnt_fit_changes_nothing(authority: FleetAuthority, tmp_path: Path, home: Path) -> None:
    install(saved(tmp_path, authority.enroll("clinic-07", Role.DEVICE).package), home)
    before = {each.name: each.read_bytes() for each in home.iterdir()}

    def refused(package: bytes, why: str) -> None:
        with pytest.raises(SettingsError, match=why):
            install(saved(tmp_path, package), home)
        assert {each.name: each.read_bytes() for each in home.iterdir()} == before

    refused(authority.enroll("clinic-09", Role.DEVICE).package, "another device")
    request = make_request("clinic-07", tmp_path / "elsewhere")
    refused(authority.sign_request("clinic-07", request.read_bytes(), renews=True).package, "holds no key")
    good = _files(authority.rotate("clinic-07", Role.DEVICE).package)
    other = _files(authority.rotate("clinic-07", Role.DEVICE).package)
    refused(tar_of({**good, "device.key": other["device.key"]}), "another key")
    refused(tar_of({**good, "enrolment.yaml": b"{device_id: clinic-07}"}), "can't be read")
    refused(tar_of({**good, "device.crt": b"no certificate"}), "can't be read")
    refused(tar_of({**good, "../evil": b"x"}), "not an enrolment package")
    refused(tar_of({"ca.crt": bytes(100_000)}), "no small file")
    refused(tar_of({}, link="ca.crt"), "no small file")
    refused(tar_of({}), "holds nothing")
    refused(b"no tar", "not an enrolment package")


def _files(package: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        return {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar.getmembers()}


def test_a_settings_file_that_a_person_broke_is_named(authority: FleetAuthority, tmp_path: Path, home: Path) -> None:
    home.mkdir()
    (home / "edge.yaml").write_text("device_id: [")
    with pytest.raises(SettingsError, match=r"edge\.yaml"):
        install(saved(tmp_path, authority.enroll("clinic-07", Role.DEVICE).package), home)
