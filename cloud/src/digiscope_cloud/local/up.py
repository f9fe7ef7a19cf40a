"""`digiscope-cloud local up`: the whole system until Ctrl-C, with an agent on a camera."""

from pathlib import Path
from typing import Any, Final

from rich.console import Console

from digiscope_cloud.local.server_process import ServerNotReadyError
from digiscope_cloud.local.system import LocalSystem
from digiscope_shared.lesions import DISCLAIMER

DEVICE_ID: Final = "local-clinic"


def run(run_dir: Path, *, camera: str, watch: Path | None, console: Console) -> None:
    """Run until the agent's end: by its own key, or by Ctrl-C.

    Raises:
        ServerNotReadyError: a part did not start, or the agent failed.
        KeyboardInterrupt: before everything ran.
    """
    with LocalSystem(run_dir) as system:
        more: dict[str, Any] = {"camera": {"source": camera}}
        if watch is not None:
            more["watched_folder"] = str(watch.resolve())
        agent = system.agent(DEVICE_ID, foreground=True, **more)
        for name, value in system.environment.items():
            console.print(f"export {name}={value}", markup=False, highlight=False)
        console.print(
            f"Settings and logs: {run_dir}. Broker: 127.0.0.1:{system.mosquitto.ports.tls} (TLS). {DISCLAIMER}"
        )
        agent.spawn()
        try:
            agent.wait_ended()
        except KeyboardInterrupt:
            console.print("Stopping.")
            return
        if agent.exit_code:
            raise ServerNotReadyError(f"the agent ended with exit code {agent.exit_code}\n{agent.log_tail()}")
