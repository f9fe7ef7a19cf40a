"""The real servers, once a session; a project and bucket of its own for each test."""

import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from digiscope_cloud.fleet.provisioning import provision
from digiscope_cloud.local.servers import Mosquitto, PubsubEmulator, StorageEmulator
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.mqtt.settings import MqttSettings


def pytest_configure() -> None:
    """Undo a parent that ignores Ctrl-C, as a shell's background jobs do: tests send it, and children inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Mosquitto on the shipped configuration. A test that kills it starts its own instead."""
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as server:
        yield server


@pytest.fixture(scope="session")
def pubsub_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PubsubEmulator]:
    with PubsubEmulator(tmp_path_factory.mktemp("pubsub")) as server:
        yield server


@pytest.fixture(scope="session")
def storage_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageEmulator]:
    with StorageEmulator(tmp_path_factory.mktemp("storage")) as server:
        yield server


@pytest.fixture
def cloud(
    pubsub_emulator: PubsubEmulator, storage_emulator: StorageEmulator, monkeypatch: pytest.MonkeyPatch
) -> CloudSettings:
    """Return a fresh project and bucket, provisioned on the emulators, which the environment names."""
    for name, value in (pubsub_emulator.environment | storage_emulator.environment).items():
        monkeypatch.setenv(name, value)
    unique = uuid.uuid4().hex[:12]
    settings = CloudSettings(project=f"digiscope-{unique}", bucket=f"digiscope-{unique}")
    provision(settings)
    return settings


@pytest.fixture
def mqtt_settings(mosquitto: Mosquitto) -> Callable[[str], MqttSettings]:
    """Return a function from an identity to what it connects with, over the plain listener."""
    return mosquitto.settings


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Name a place for the servers that a test starts for itself."""
    return tmp_path / "run"
