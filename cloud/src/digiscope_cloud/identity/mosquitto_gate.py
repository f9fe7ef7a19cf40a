"""BrokerGate for Mosquitto: the list by file and SIGHUP, the connection by taking over its session.

SIGHUP alone is not enough, measured on 2.0.11: the new list meets new handshakes only, and a revoked device that is
connected goes on sending and receiving. MQTT has the cure: a second CONNECT with the same client id ends the first.
"""

import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from digiscope_cloud.identity.fleet_folder import write_whole
from digiscope_cloud.identity.settings import BrokerControl
from digiscope_shared.errors import TransientError
from digiscope_shared.mqtt.link_status import LinkState, LinkStatus
from digiscope_shared.mqtt.session import MqttSession
from digiscope_shared.mqtt.settings import MqttSettings

RELOAD_TIMEOUT_S: Final = 20.0
TAKEOVER_TIMEOUT_S: Final = 15.0
GOODBYE_S: Final = 2.0


class MosquittoGate:
    """Runs where the broker's files are; `control` says where that is."""

    def __init__(self, control: BrokerControl) -> None:
        self._control = control

    def refuse(self, revocation_list_pem: bytes) -> None:
        if not self._control.crl_file:
            raise TransientError("control.crl_file is not set: copy crl.pem to the broker and reload it by hand")
        try:
            # Readable by the broker's own user; a revocation list is no secret.
            write_whole(Path(self._control.crl_file), revocation_list_pem, mode=0o644)
            subprocess.run(self._control.reload_command, check=True, timeout=RELOAD_TIMEOUT_S)  # noqa: S603 the operator's own setting
        except (OSError, subprocess.SubprocessError) as error:
            raise TransientError(f"the broker did not get the new list: {error}") from error

    def cut_off(self, client_id: str) -> None:
        if self._control.mqtt is None:
            raise TransientError("control.mqtt is not set: a connection that stands goes on until the broker restarts")
        take_over(self._control.mqtt, client_id)


def take_over(settings: MqttSettings, client_id: str) -> None:
    """Be that client for a moment: its connection ends, and its session with it.

    Raises:
        TransientError: the broker did not let us in time.
    """
    arrived = threading.Event()
    seen: list[LinkStatus] = []

    def note(status: LinkStatus) -> None:
        seen.append(status)
        if status.state is LinkState.CONNECTED:
            arrived.set()

    # A clean start ends the old session: what waited in it is dropped, and the device's Will says `lost`. Continued,
    # the session would keep both (Mosquitto 2.0.11). Expiry 0: ours is forgotten when we leave.
    session = MqttSession(
        replace(settings, session_expiry_s=0),
        client_id=client_id,
        topic_filters=[],
        clean_start=True,
        on_message=lambda message: message.ack(),
        on_link=note,
    )
    session.start()
    try:
        if not arrived.wait(TAKEOVER_TIMEOUT_S):
            why = seen[-1].detail if seen else "no answer"
            raise TransientError(f"{client_id} may still be connected: the broker didn't let us take over: {why}")
    finally:
        session.stop(GOODBYE_S)
