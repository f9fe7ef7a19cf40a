import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from digiscope_cloud.audit_log import chain
from digiscope_cloud.audit_log.file_audit_log import raw_lines
from digiscope_cloud.fleet.__main__ import fleet


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(fleet, [*arguments, "--fleet-dir", str(folder / "fleet")])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert run(tmp_path, "init", "--name", "north", "--broker", "broker.example").exit_code == 0
    assert run(tmp_path, "enroll", "clinic-07", "--out", str(tmp_path / "a.tar")).exit_code == 0
    return tmp_path


def test_the_list_is_for_people_and_for_machines(folder: Path) -> None:
    assert "clinic-07" in run(folder, "list").output
    (listed,) = json.loads(run(folder, "list", "--json").output)
    assert (listed["name"], listed["role"], listed["standing"]) == ("clinic-07", "device", "valid")
    assert listed["revoked_at"] is None
    assert json.loads(run(folder, "list", "--due", "--json").output) == []


def test_a_revocation_that_reached_no_broker_is_no_success(folder: Path) -> None:
    revoked = run(folder, "revoke", "clinic-07")
    assert revoked.exit_code == 3
    assert "crl.pem" in revoked.output
    (listed,) = json.loads(run(folder, "list", "--json").output)
    assert listed["standing"] == "revoked"


def test_a_broker_that_is_away_is_said_and_the_list_is_written(folder: Path) -> None:
    with (folder / "fleet" / "fleet.yaml").open("a") as settings:
        settings.write(f"control:\n  crl_file: {folder / 'broker-crl.pem'}\n  reload_command: ['false']\n")
    revoked = run(folder, "revoke", "clinic-07")
    assert revoked.exit_code == 3
    assert "did not get the new list" in revoked.output
    assert (folder / "broker-crl.pem").read_bytes() == (folder / "fleet" / "crl.pem").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("enroll", "clinic-07", "--out", "x"), "rotate"),
        (("enroll", "Bad/Name", "--out", "x"), "is no name"),
        (("enroll", "bridge", "--out", "x"), "service"),
        (("revoke", "nobody"), "holds no certificate"),
        (("init", "--name", "south", "--broker", "b"), "never replaced"),
    ],
)
def test_a_mistake_is_answered_with_what_to_mend(folder: Path, arguments: tuple[str, ...], complaint: str) -> None:
    result = run(folder, *arguments)
    assert result.exit_code == 2
    assert complaint in result.output


def test_without_a_fleet_the_first_command_is_named(tmp_path: Path) -> None:
    result = run(tmp_path, "list")
    assert result.exit_code == 2
    assert "fleet init" in result.output


def test_each_act_is_in_the_folders_log(folder: Path) -> None:
    run(folder, "rotate", "clinic-07", "--out", str(folder / "b.tar"))
    run(folder, "revoke", "clinic-07", "--superseded")
    log = folder / "fleet" / "audit.jsonl"
    assert [chain.read_line(raw).act for raw in raw_lines(log)] == ["enrolled", "rotated", "revoked"]


@pytest.mark.parametrize("command", ["init", "enroll", "sign-request", "rotate", "revoke", "list"])
def test_help_has_examples(command: str) -> None:
    assert "Examples:" in CliRunner().invoke(fleet, [command, "--help"]).output
