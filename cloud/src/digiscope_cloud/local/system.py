"""The whole of DigiScope on one machine: servers, provisioning, cloud processes, device agents."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import structlog
import yaml

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.fleet.provisioning import provision
from digiscope_cloud.local.broker_files import write_private
from digiscope_cloud.local.processes import AgentProcess, CloudProcess
from digiscope_cloud.local.server_process import ServerProcess
from digiscope_cloud.local.servers import BRIDGE, Mosquitto, PubsubEmulator, StorageEmulator
from digiscope_cloud.local.undisturbed import undisturbed
from digiscope_cloud.settings import CloudSettings

log = structlog.get_logger()
# A word in their logs that tells that each is at work.
BRIDGE_READY: Final = '"state": "connected"'
WORKER_READY: Final = "pull_opened"
FLEET_READY: Final = "fleet_ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPlan:
    """How many of what. `worker` holds further settings of the worker."""

    bridges: int = 2
    workers: int = 1
    fleet: bool = True
    worker: Mapping[str, Any] | None = None


class LocalSystem:
    """Started in `__enter__`, every process stopped in `__exit__`, the newest first, whatever happened."""

    def __init__(self, run_dir: Path, plan: SystemPlan | None = None) -> None:
        plan = plan or SystemPlan()
        self.run_dir = run_dir
        self.settings = CloudSettings(project="digiscope-local", bucket="digiscope-local")
        self._stack = ExitStack()
        self.mosquitto = Mosquitto(run_dir)
        self.pubsub = PubsubEmulator(run_dir)
        self.storage = StorageEmulator(run_dir)
        self.environment = {**self.pubsub.environment, **self.storage.environment}
        self.bridges = [self._bridge(number) for number in range(plan.bridges)]
        self.workers = [self._worker(number, plan.worker or {}) for number in range(plan.workers)]
        self.fleets = [self._process("fleet", ["fleet", "serve"], asdict(self.settings), FLEET_READY)] * plan.fleet
        self.agents: list[AgentProcess] = []

    def __enter__(self) -> Self:
        try:
            servers = [self.mosquitto, self.pubsub, self.storage]
            self._start_together(servers)
            self.provision()
            self._start_together([*self.bridges, *self.workers, *self.fleets])
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_all()

    @property
    def processes(self) -> dict[str, ServerProcess]:
        """Return every process by its name."""
        servers: list[ServerProcess] = [self.mosquitto, self.pubsub, self.storage]
        return {each.name: each for each in [*servers, *self.bridges, *self.workers, *self.fleets, *self.agents]}

    def provision(self) -> None:
        """Create topics, subscriptions and the bucket; again after the Pub/Sub emulator was started anew."""
        with self.google_environment():
            provision(self.settings)

    @contextmanager
    def google_environment(self) -> Iterator[None]:
        """Have Google's libraries in this process use the emulators, and nothing else, as long as it lasts."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    def bucket(self) -> GcsObjectStore:
        """Return the bucket as the cloud sees it."""
        with self.google_environment():
            return GcsObjectStore(self.settings)

    def agent(
        self,
        device_id: str,
        *,
        port: int | None = None,
        foreground: bool = False,
        files: Sequence[Path] = (),
        deadline_s: float = 120.0,
        environment: Mapping[str, str] | None = None,
        **settings: object,
    ) -> AgentProcess:
        """Prepare a device agent with a certificate of its own, not started; `port`: of a proxy before the broker."""
        mqtt = asdict(self.mosquitto.settings(device_id, tls=True, port=port))
        state_dir = {"device_id": device_id, "state_dir": str(self.run_dir / device_id)}
        path = self._write(device_id, state_dir | {"mqtt": mqtt} | settings)
        agent = AgentProcess(
            device_id,
            self.run_dir,
            path,
            foreground=foreground,
            files=files,
            deadline_s=deadline_s,
            environment=environment,
        )
        self.agents.append(agent)
        self._stack.callback(agent.stop)
        return agent

    def _bridge(self, number: int) -> CloudProcess:
        mqtt = asdict(self.mosquitto.settings(BRIDGE))
        settings = asdict(self.settings) | {"mqtt": mqtt, "replica": str(number)}
        return self._process(f"bridge-{number}", ["bridge"], settings, BRIDGE_READY)

    def _worker(self, number: int, more: Mapping[str, Any]) -> CloudProcess:
        return self._process(f"worker-{number}", ["worker"], asdict(self.settings) | dict(more), WORKER_READY)

    def _process(self, name: str, command: list[str], settings: Mapping[str, Any], ready_mark: str) -> CloudProcess:
        arguments = [*command, "--settings", str(self._write(name, settings))]
        return CloudProcess(
            name, self.run_dir, arguments=arguments, environment=self.environment, ready_mark=ready_mark
        )

    def _write(self, name: str, settings: Mapping[str, Any]) -> Path:
        path = self.run_dir / f"{name}.yaml"
        write_private(path, yaml.safe_dump(dict(settings), sort_keys=False))
        return path

    def _stop_all(self) -> None:
        with undisturbed():
            # They end side by side; the servers, which they still need, end after them.
            for process in [*self.agents, *self.bridges, *self.workers, *self.fleets]:
                process.send_signal(signal.SIGTERM)
            self._stack.close()

    def _start_together(self, servers: list[Any]) -> None:
        for server in servers:
            self._stack.callback(server.stop)
            server.spawn()
        for server in servers:
            server.wait_ready()
            log.debug("started", name=server.name, pid=server.pid)
