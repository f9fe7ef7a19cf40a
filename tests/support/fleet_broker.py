"""The shipped broker behind a real fleet's certificates."""

import io
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from click.testing import CliRunner, Result
from cryptography import x509

from digiscope_cloud.identity import certificates, commands
from digiscope_cloud.identity.certificates import Authority, Role
from digiscope_cloud.identity.fleet_folder import FleetFolder
from digiscope_cloud.local.servers import Mosquitto
from digiscope_shared.mqtt.settings import MqttSettings

_COMMANDS: Final = {command.name: command for command in commands.COMMANDS}


class FleetBroker(Mosquitto):
    """Mosquitto with a fleet's root and list; `fleet` runs the real commands on that fleet."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir, identities=["fleet"])
        self.fleet_dir = run_dir / "fleet"
        self._tls = run_dir / "broker-tls"
        self._inbox = run_dir / "devices"
        self._inbox.mkdir()
        assert (
            self.fleet("init", "--name", "north", "--broker", "127.0.0.1", "--port", str(self.ports.tls)).exit_code == 0
        )
        broker = self.enroll("broker", "--role", "broker", "--host", "127.0.0.1")
        for name, source in {
            "ca.crt": broker.ca_file,
            "broker.crt": broker.cert_file,
            "broker.key": broker.key_file,
            "crl.pem": str(self.fleet_dir / "crl.pem"),
        }.items():
            (self._tls / name).write_bytes(Path(source).read_bytes())

    @property
    def authority(self) -> Authority:
        return FleetFolder(self.fleet_dir).authority()

    def start(self) -> None:
        super().start()
        login = self.settings("fleet")
        with (self.fleet_dir / "fleet.yaml").open("a") as settings:
            settings.write(
                f"control:\n  crl_file: {self._tls / 'crl.pem'}\n  reload_command: [kill, -HUP, '{self.pid}']\n"
                f"  mqtt: {{port: {login.port}, username: fleet, password_file: {login.password_file}}}\n"
            )

    def fleet(self, *arguments: str) -> Result:
        name, *rest = arguments
        return CliRunner().invoke(_COMMANDS[name], [*rest, "--fleet-dir", str(self.fleet_dir)])

    def enroll(self, name: str, *options: str, command: str = "enroll") -> MqttSettings:
        """Enroll by command, unpack the package as a device would, and return what it connects with."""
        package = self._inbox / f"{command}-{name}.tar"
        result = self.fleet(command, name, *options, "--out", str(package))
        assert result.exit_code == 0, result.output
        folder = self._inbox / f"{command}-{name}"
        with tarfile.open(fileobj=io.BytesIO(package.read_bytes())) as tar:
            tar.extractall(folder, filter="data")
        return self.settings_of(folder)

    def settings_of(self, folder: Path) -> MqttSettings:
        return MqttSettings(
            port=self.ports.tls,
            ca_file=str(folder / "ca.crt"),
            cert_file=str(folder / "device.crt"),
            key_file=str(folder / "device.key"),
            connect_backoff_s=0.1,
            connect_backoff_cap_s=0.2,
            refused_backoff_s=0.1,
        )

    def forge(
        self,
        name: str,
        *,
        authority: Authority | None = None,
        role: Role = Role.DEVICE,
        age: timedelta = timedelta(0),
        validity: timedelta = timedelta(days=1),
    ) -> MqttSettings:
        """Make a certificate that the fleet's commands would never make."""
        folder = self._inbox / f"forged-{name}-{len(list(self._inbox.iterdir()))}"
        folder.mkdir()
        key = certificates.new_key()
        certificate = certificates.issue(
            authority or self.authority,
            name=name,
            role=role,
            key=key.public_key(),
            now=datetime.now(UTC) - age,
            validity=validity,
            hosts=("127.0.0.1",),
        )
        (folder / "ca.crt").write_bytes((self.fleet_dir / "ca.crt").read_bytes())
        (folder / "device.crt").write_bytes(certificates.certificate_pem(certificate))
        (folder / "device.key").write_bytes(certificates.key_pem(key))
        return self.settings_of(folder)

    def listed(self) -> list[int]:
        """Return the serial numbers on the broker's own list."""
        return [each.serial_number for each in x509.load_pem_x509_crl((self._tls / "crl.pem").read_bytes())]
