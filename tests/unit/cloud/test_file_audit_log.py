import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from digiscope_cloud.audit_log import chain
from digiscope_cloud.audit_log.__main__ import audit_log
from digiscope_cloud.audit_log.entries import Act, AuditEntry
from digiscope_cloud.audit_log.file_audit_log import FileAuditLog, raw_lines
from digiscope_shared.errors import TransientError

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


def log_at(path: Path) -> FileAuditLog:
    return FileAuditLog(path, now=lambda: NOW)


def entry(subject: str) -> AuditEntry:
    return AuditEntry(act=Act.REVOKED, subject=subject, actor="ann")


def test_lines_are_kept_in_one_chain_and_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(3):
        log_at(path).append(entry(f"clinic-{number}"))
    found, head = chain.verify(raw_lines(path))
    assert not found
    assert head.sequence == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_writers_at_the_same_time_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def write(writer: int) -> None:
        for number in range(20):
            log_at(path).append(entry(f"clinic-{writer}-{number}"))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, head = chain.verify(raw_lines(path))
    assert not found
    assert head.sequence == 80


@pytest.mark.parametrize("torn", [b'{"act":"revo', b"x" * 200_000, b"\xff"])
def test_a_line_torn_by_a_power_cut_is_set_aside_and_said(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    log_at(path).append(entry("clinic-1"))
    with path.open("ab") as file:
        file.write(torn)
    log_at(path).append(entry("clinic-2"))
    found, head = chain.verify(raw_lines(path))
    assert not found
    assert head.sequence == 3
    acts = [chain.read_line(raw).act for raw in raw_lines(path)]
    assert acts == ["revoked", "recovered", "revoked"]


def test_nothing_is_chained_to_a_changed_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log_at(path).append(entry("clinic-1"))
    path.write_bytes(path.read_bytes().replace(b"clinic-1", b"clinic-2"))
    with pytest.raises(TransientError, match="was changed"):
        log_at(path).append(entry("clinic-3"))


def test_a_log_that_cant_be_written_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(TransientError):
        log_at(tmp_path / "no" / "such" / "folder.jsonl").append(entry("clinic-1"))


def test_the_command_tells_whole_from_touched(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(3):
        log_at(path).append(entry(f"clinic-{number}"))
    whole = CliRunner().invoke(audit_log, ["verify", str(path)])
    assert whole.exit_code == 0
    head = whole.output.split("keep elsewhere: ")[1].strip()

    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    cut = CliRunner().invoke(audit_log, ["verify", str(path), "--head", head])
    assert cut.exit_code == 1
    assert "sequence 3 was here once" in cut.output

    path.write_bytes(lines[0] + lines[2])
    missing = CliRunner().invoke(audit_log, ["verify", str(path), "--json"])
    assert missing.exit_code == 1
    assert "sequence 2 is missing" in missing.output

    assert CliRunner().invoke(audit_log, ["verify", str(tmp_path / "none")]).exit_code == 2
    assert CliRunner().invoke(audit_log, ["verify", str(path), "--head", "x"]).exit_code == 2


def test_the_log_is_readable_by_people(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log_at(path).append(entry("clinic-1"))
    log_at(path).append(AuditEntry(act=Act.ENROLLED, subject="clinic-2", actor="bob", detail={"serial": "af"}))
    shown = CliRunner().invoke(audit_log, ["show", str(path), "--act", "enrolled"])
    assert shown.exit_code == 0
    assert "clinic-2  by bob" in shown.output
    assert "serial=af" in shown.output
    assert "clinic-1" not in shown.output
