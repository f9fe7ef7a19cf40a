"""A whole system for each test, with a proxy between the device and the broker."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from digiscope_cloud.drill.tcp_proxy import TcpProxy
from digiscope_cloud.local.servers import Mosquitto
from digiscope_cloud.settings import CloudSettings
from tests.support.whole_system import WholeSystem


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Return a broker of the test's own: nobody else's bridge shares its subscription."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as server:
        yield server


@pytest.fixture
def link(broker: Mosquitto) -> Iterator[TcpProxy]:
    with TcpProxy(broker.port) as proxy:
        yield proxy


@pytest.fixture
def system(cloud: CloudSettings, broker: Mosquitto, link: TcpProxy, tmp_path: Path) -> Iterator[WholeSystem]:
    device_id = f"dev-{uuid.uuid4().hex[:8]}"
    made = WholeSystem(
        cloud,
        tmp_path,
        device_id=device_id,
        device_mqtt=broker.settings(device_id, port=link.port),
        bridge_mqtt=broker.settings("bridge"),
    )
    try:
        yield made
    finally:
        made.close()
