"""A missing part is named, with the one command that installs it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from digiscope_cloud.local import parts
from digiscope_cloud.local.__main__ import local
from digiscope_cloud.local.parts import MissingPartError

EMULATOR = Path("platform/pubsub-emulator/bin/cloud-pubsub-emulator")


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing on the PATH, no Cloud SDK in the usual places."""
    for variable in ("JAVA_HOME", "CLOUDSDK_ROOT", "CLOUDSDK_ROOT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr(parts, "_SDK_PLACES", ())
    return tmp_path


def test_without_mosquitto(empty_machine: Path) -> None:
    with pytest.raises(MissingPartError, match="sudo apt-get install -y mosquitto"):
        parts.find_mosquitto()


def test_without_java(empty_machine: Path) -> None:
    with pytest.raises(MissingPartError, match="sudo apt-get install -y default-jre-headless"):
        parts.find_pubsub_emulator()


def test_without_the_emulator(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/java")
    with pytest.raises(MissingPartError, match="gcloud components install pubsub-emulator"):
        parts.find_pubsub_emulator()


@pytest.mark.parametrize("variable", ["CLOUDSDK_ROOT", "CLOUDSDK_ROOT_DIR"])
def test_the_emulator_in_an_unusual_place(empty_machine: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("JAVA_HOME", "/java")
    monkeypatch.setenv(variable, str(empty_machine))
    (empty_machine / EMULATOR).parent.mkdir(parents=True)
    (empty_machine / EMULATOR).touch()
    assert parts.find_pubsub_emulator() == str(empty_machine / EMULATOR)


def test_without_broker_files(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGISCOPE_BROKER", str(empty_machine))
    with pytest.raises(MissingPartError, match="DIGISCOPE_BROKER"):
        parts.find_broker_files()


def test_the_demo_names_what_is_missing_and_ends_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise MissingPartError("Mosquitto is missing. Install it: sudo apt-get install -y mosquitto")

    monkeypatch.setattr(parts, "find_mosquitto", missing)
    # They belong to the whole process.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("digiscope_shared.logs.configure", lambda **_: None)
    done = CliRunner().invoke(local, ["demo", "--count", "1"])
    assert done.exit_code == 3
    assert "Error: Mosquitto is missing. Install it: sudo apt-get install -y mosquitto" in done.output
