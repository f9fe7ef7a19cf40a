"""What an operator writes into a fleet's `fleet.yaml`."""

from dataclasses import dataclass, field

from digiscope_shared.mqtt.settings import MqttSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """What devices dial: the name must be in the broker's certificate."""

    host: str
    port: int = 8883


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerControl:
    """How a revocation reaches the broker. Left out, the operator copies `crl.pem` and reloads by hand."""

    # The broker's `crlfile`; written at once and whole.
    crl_file: str = ""
    # Mosquitto reads its lists again at SIGHUP.
    reload_command: tuple[str, ...] = ("systemctl", "reload", "mosquitto")
    # A login that may take over a device's session, which is what ends a connection that stands: any identity on a
    # listener without `use_username_as_clientid`. It needs no right to any topic.
    mqtt: MqttSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """Times in days."""

    fleet: str
    broker: BrokerAddress
    control: BrokerControl = field(default_factory=BrokerControl)
    device_valid_days: float = 90
    service_valid_days: float = 365
