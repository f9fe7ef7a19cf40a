"""The whole chain as processes: agent, bridge and worker on the real broker and emulators, each killed at will."""

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import yaml

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.settings import CloudSettings
from digiscope_edge.adapters.sqlite_outbox import SqliteOutbox
from digiscope_shared import object_names
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.mqtt.settings import MqttSettings
from tests.support.waiting import wait_until

EDGE = (sys.executable, "-m", "digiscope_edge")
# Short, so that what was lost is sent again within a test's patience.
IMPATIENT = {"receipt_timeout_s": 2.0, "result_timeout_s": 4.0, "retry_cap_s": 2.0}


class WholeSystem:
    """Settings files and logs lie in `folder`; `device_mqtt` may lead through a proxy."""

    def __init__(
        self,
        cloud: CloudSettings,
        folder: Path,
        *,
        device_id: str,
        device_mqtt: MqttSettings,
        bridge_mqtt: MqttSettings,
    ) -> None:
        self.cloud, self.folder, self.device_id = cloud, folder, device_id
        self.state_dir = folder / "state"
        self.journal = folder / "journal.jsonl"
        self.store = GcsObjectStore(cloud)
        self._processes: list[subprocess.Popen[bytes]] = []
        project = dataclasses.asdict(cloud)
        self._bridge = self._write("bridge", project | {"mqtt": mqtt_yaml(bridge_mqtt)})
        self._worker = self._write("worker", project | {"image_processes": 1})
        self.edge = self._write("edge", self.edge_settings(device_mqtt))

    def edge_settings(self, mqtt: MqttSettings, *, state_dir: Path | None = None) -> dict[str, Any]:
        return {
            "device_id": self.device_id,
            "state_dir": str(state_dir or self.state_dir),
            "mqtt": mqtt_yaml(mqtt) | {"connect_backoff_s": 0.2, "connect_backoff_cap_s": 0.5},
            "outbox": {"reserve_bytes": 0},
        }

    def start_bridge(self) -> "subprocess.Popen[bytes]":
        """Start it and wait for its subscription: before a broker's very first one, what is published is nobody's."""
        before = self._bridge_links()
        process = self._start("bridge", "-m", "digiscope_cloud", "bridge", "--settings", str(self._bridge))
        wait_until(lambda: self._bridge_links() > before, timeout_s=40, what="the bridge has subscribed")
        return process

    def _bridge_links(self) -> int:
        log = self.folder / "bridge.log"
        return log.read_text().count('"state": "connected"') if log.exists() else 0

    def start_worker(self) -> "subprocess.Popen[bytes]":
        return self._start("worker", "-m", "digiscope_cloud", "worker", "--settings", str(self._worker))

    def start_agent(self, *arguments: str, settings: Path | None = None) -> "subprocess.Popen[bytes]":
        path = settings or self.edge
        journal = str(self.journal if settings is None else path.with_suffix(".jsonl"))
        return self._start(
            f"agent-{path.stem}",
            "-m",
            "digiscope_edge",
            "--settings",
            str(path),
            "run",
            "--journal",
            journal,
            *arguments,
        )

    def edge_command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*EDGE, "--settings", str(self.edge), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def write_settings(self, name: str, settings: dict[str, Any]) -> Path:
        return self._write(name, settings)

    def be_impatient(self) -> None:
        """Give the device short timeouts, as a config from the cloud would."""
        from digiscope_shared.messages import DesiredConfig  # noqa: PLC0415 (only here)

        outbox = self.open_outbox()
        outbox.keep_config(DesiredConfig(version=1, config=IMPATIENT))
        outbox.close()

    def open_outbox(self) -> SqliteOutbox:
        return SqliteOutbox(self.state_dir, limit_bytes=2**31)

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = self.journal.read_bytes().splitlines() if self.journal.exists() else []
        # A killed agent may leave half a line.
        found = [json.loads(line) for line in lines if line.endswith(b"}")]
        return [event for event in found if event["event"] == name]

    def answered(self) -> Counter[str]:
        return Counter(event["capture_id"] for event in self.events("CaptureAnswered"))

    def captured(self) -> set[str]:
        return {event["capture_id"] for event in self.events("CaptureAccepted")}

    def result_objects(self) -> Counter[str]:
        names = (each.name for each in self.store.list(object_names.CAPTURES))
        return Counter(name.split("/")[1] for name in names if "/results/" in name)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.edge_command("status", "--json").stdout)
        return found

    def log(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _write(self, name: str, settings: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    def _start(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._processes.append(process)
        return process


def mqtt_yaml(mqtt: MqttSettings) -> dict[str, Any]:
    return dataclasses.asdict(mqtt)


def draw_images(folder: Path, count: int) -> Sequence[Path]:
    """Write that many different phantoms as JPEG."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"phantom-{number:03d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), draw_phantom(number))
    return paths
