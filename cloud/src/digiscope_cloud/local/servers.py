"""The servers of the local system as context managers: the broker and Google's two services, on free ports."""

import os
import secrets
import signal
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path

from digiscope_cloud.local import mqtt_probe, parts
from digiscope_cloud.local.broker_files import BrokerPorts, password_line, render, write_private
from digiscope_cloud.local.certificates import LocalCa
from digiscope_cloud.local.server_process import ServerNotReadyError, ServerProcess, becomes_true, free_port
from digiscope_shared.mqtt.settings import MqttSettings

BRIDGE = "bridge"
RELOAD_TIMEOUT_S = 10.0


class Mosquitto(ServerProcess):
    """The shipped `broker/mosquitto.conf` on free ports, with identities whose passwords and certificates lie here."""

    def __init__(self, run_dir: Path, *, identities: Iterable[str] = (), conf: Path | None = None) -> None:
        super().__init__("mosquitto", run_dir)
        self._program = parts.find_mosquitto()
        self._shipped = conf or parts.find_broker_files() / "mosquitto.conf"
        self._run_dir = run_dir.resolve()
        self._ca = LocalCa(self._run_dir / "broker-tls")
        self._passwords: dict[str, str] = {}
        self.ports = BrokerPorts(tls=free_port(), plain=free_port(), websockets=free_port())
        for identity in (BRIDGE, *identities):
            self._new_password(identity)
        self._write_files()

    @property
    def port(self) -> int:
        return self.ports.plain

    def command(self) -> Sequence[str]:
        return [self._program, "-c", str(self._run_dir / "mosquitto.conf")]

    def is_ready(self) -> bool:
        return mqtt_probe.accepts_login(self.ports.plain, BRIDGE, self._passwords[BRIDGE])

    def settings(self, identity: str, *, tls: bool = False, port: int | None = None) -> MqttSettings:
        """Return what `identity` connects with; one that is new becomes known. `port`: of a proxy before the broker."""
        if identity not in self._passwords:
            self.add_identity(identity)
        if not tls:
            return MqttSettings(
                host="127.0.0.1",
                port=port or self.ports.plain,
                username=identity,
                password_file=str(self._password_file(identity)),
            )
        files = self._ca.issue_device(identity)
        return MqttSettings(
            host="127.0.0.1",
            port=port or self.ports.tls,
            ca_file=str(self._ca.ca_file),
            cert_file=str(files.cert_file),
            key_file=str(files.key_file),
        )

    def add_identity(self, identity: str) -> None:
        """Make a password for a new identity; a running broker reads its file again and keeps its connections."""
        self._new_password(identity)
        self._write_passwords()
        if self._process is not None and self.exit_code is None:
            self.send_signal(signal.SIGHUP)
            self._wait_known(identity)

    def _wait_known(self, identity: str) -> None:
        password = self._passwords[identity]
        if not becomes_true(lambda: mqtt_probe.accepts_login(self.ports.plain, identity, password), RELOAD_TIMEOUT_S):
            raise ServerNotReadyError(f"mosquitto did not take {identity}\n{self.log_tail()}")

    def save_now(self) -> None:
        """Have it write its database at once, as the autosave does."""
        self.send_signal(signal.SIGUSR1)

    def _password_file(self, identity: str) -> Path:
        return self._run_dir / "passwords" / identity

    def _new_password(self, identity: str) -> None:
        self._passwords[identity] = secrets.token_urlsafe(18)
        write_private(self._password_file(identity), self._passwords[identity])

    def _write_passwords(self) -> None:
        lines = [password_line(identity, password) for identity, password in self._passwords.items()]
        write_private(self._run_dir / "mosquitto.passwords", "".join(lines))

    def _write_files(self) -> None:
        self._write_passwords()
        server = self._ca.issue_broker()
        state = self._run_dir / "mosquitto-state"
        state.mkdir(exist_ok=True)
        places = {
            "password_file": str(self._run_dir / "mosquitto.passwords"),
            "acl_file": str(self._shipped.resolve().parent / "acl"),
            "persistence_location": f"{state}/",
            "cafile": str(self._ca.ca_file),
            "crlfile": str(self._ca.crl_file),
            "certfile": str(server.cert_file),
            "keyfile": str(server.key_file),
            # Started by root it would become `mosquitto`, who can't read this run's folder; others it can't become.
            "user": "root",
        }
        rendered = render(self._shipped.read_text(encoding="utf-8"), ports=self.ports, places=places)
        write_private(self._run_dir / "mosquitto.conf", rendered)


class PubsubEmulator(ServerProcess):
    """Google's Pub/Sub emulator. It keeps nothing over a restart: provision it again."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__("pubsub-emulator", run_dir)
        self._program = parts.find_pubsub_emulator()
        self.port = free_port()

    @property
    def environment(self) -> dict[str, str]:
        """What makes Google's client libraries use it."""
        return {"PUBSUB_EMULATOR_HOST": f"127.0.0.1:{self.port}"}

    def command(self) -> Sequence[str]:
        return [self._program, "--host=127.0.0.1", f"--port={self.port}"]

    def added_environment(self) -> dict[str, str]:
        return {"JAVA_OPTS": os.environ.get("JAVA_OPTS", "-Xmx512m")}

    def is_ready(self) -> bool:
        return _answers_http(f"http://127.0.0.1:{self.port}/")


class StorageEmulator(ServerProcess):
    """fake-gcs-server, with its objects in files, so that they outlive a restart."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__("storage-emulator", run_dir)
        self._program = parts.find_fake_gcs_server()
        self._objects = run_dir.resolve() / "storage-objects"
        self._objects.mkdir(exist_ok=True)
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes Google's client libraries use it."""
        return {"STORAGE_EMULATOR_HOST": self.url}

    def command(self) -> Sequence[str]:
        place = ["-host", "127.0.0.1", "-port", str(self.port), "-external-url", self.url, "-public-host", "127.0.0.1"]
        files = ["-backend", "filesystem", "-filesystem-root", str(self._objects)]
        return [self._program, "-scheme", "http", "-log-level", "warn", *place, *files]

    def is_ready(self) -> bool:
        return _answers_http(f"{self.url}/_internal/healthcheck")


def _answers_http(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 a literal http URL on loopback
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
