"""Cloud Storage object names. Everything of a capture lies under one prefix: erasing a case is one delete."""

from typing import Final

CAPTURES: Final = "captures/"


def capture_prefix(capture_id: str) -> str:
    return f"{CAPTURES}{capture_id}/"


def image(capture_id: str) -> str:
    return f"{capture_prefix(capture_id)}image.jpg"


def part(capture_id: str, number: int) -> str:
    """Name one part; zero-padded, so that a listing comes in order."""
    return f"{capture_prefix(capture_id)}parts/{number:05d}"


def parts_prefix(capture_id: str) -> str:
    return f"{capture_prefix(capture_id)}parts/"


def capture_record(capture_id: str) -> str:
    """Name the record that is written last: where it exists, the capture is stored and was published."""
    return f"{capture_prefix(capture_id)}capture.json"


def result(capture_id: str, model_digest: str) -> str:
    return f"{capture_prefix(capture_id)}results/{model_digest}.json"


def overlay(capture_id: str) -> str:
    """Name the picture of what vision found: it depends on no model's opinion, so there is one."""
    return f"{capture_prefix(capture_id)}overlay.png"


def results_prefix(capture_id: str) -> str:
    return f"{capture_prefix(capture_id)}results/"


DEVICES: Final = "devices/"


def desired_config(device_id: str) -> str:
    return f"{DEVICES}{device_id}/desired.json"


def reported_state(device_id: str) -> str:
    return f"{DEVICES}{device_id}/reported.json"


def telemetry(device_id: str, subject: str, metric: str, digest: str) -> str:
    """Name one reading by its content's digest, apart from `devices/`, which is listed whole."""
    return f"telemetry/{device_id}/{subject or '-'}/{metric}/{digest}.json"
