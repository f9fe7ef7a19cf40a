"""What a log line must never hold."""

import json

import pytest
import structlog

from digiscope_shared import logs


def test_a_traceback_in_json_holds_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    logs.configure(json=True)
    try:
        secret = "findings-of-a-patient"  # noqa: F841, S105 it lies in a local variable, as such things do
        try:
            raise RuntimeError("failed")  # noqa: TRY301
        except RuntimeError:
            structlog.get_logger().exception("delivery_failed")
    finally:
        structlog.configure(**before)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["exception"][0]["exc_type"]) == ("delivery_failed", "RuntimeError")
    assert "findings-of-a-patient" not in json.dumps(line)
