"""A capture that the cloud refused, traced, mended there, replayed, and in the end shown by its device."""

import json
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import yaml

from digiscope_cloud.adapters.gcs_object_store import storage_client
from digiscope_shared import object_names
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.lifecycle import CaptureState
from digiscope_shared.messages.capture import MAX_PART_BYTES
from tests.support.waiting import wait_until
from tests.support.whole_system import WholeSystem


def test_a_refused_capture_is_mended_replayed_and_shown(system: WholeSystem) -> None:
    capture_id = capture_of_several_parts(system)
    outbox = system.open_outbox()
    content = outbox.read_image(capture_id)
    plant_part(system, capture_id, bytes(MAX_PART_BYTES))
    system.start_bridge()
    system.start_agent()
    wait_until(lambda: state(system, capture_id) == CaptureState.REJECTED, timeout_s=40, what="it is rejected")

    found = trace(system, capture_id)
    assert "outbox" in found["standing"]["holder"]
    assert {"accepted", "sent", "parts stored", "refused", "rejected receipt"} == {
        each["name"] for each in found["steps"]
    }
    (letter,) = (each for each in letters(system) if each["capture"] == capture_id)
    assert (letter["where"], letter["reason"], letter["device"]) == ("uplink-dead", "wrong-hash", system.device_id)

    plant_part(system, capture_id, content[:MAX_PART_BYTES])
    replayed = cloud(system, "dead-letters", "replay", letter["key"])
    assert replayed.returncode == 0, replayed.stderr
    # The receipt comes over the bridge that runs, and frees the image.
    wait_until(
        lambda: state(system, capture_id) == CaptureState.STORED, timeout_s=40, what="the device has its receipt"
    )
    assert system.store.read(object_names.image(capture_id))[0] == content
    assert trace(system, capture_id)["standing"]["next_step"] == "the worker analyses it"

    system.start_worker()
    wait_until(lambda: system.answered()[capture_id] == 1, timeout_s=60, what="it is shown")
    found = trace(system, capture_id)
    assert [each["name"] for each in found["steps"]][-2:] == ["analysed", "shown"]
    assert all(each["at"] for each in found["steps"])
    assert found["standing"]["next_step"] == "nothing: it was shown"
    assert letters(system) == []


def capture_of_several_parts(system: WholeSystem) -> str:
    """Put a large image into the outbox; nothing is sent yet."""
    noise = np.random.default_rng(1).integers(0, 40, (900, 1200, 3), dtype=np.uint8)
    path = system.folder / "lesion.jpg"
    cv2.imwrite(str(path), cv2.add(cv2.resize(draw_phantom(1), (1200, 900)), noise), [cv2.IMWRITE_JPEG_QUALITY, 97])
    done = system.edge_command("capture", str(path))
    assert done.returncode == 0, done.stderr
    (held,) = system.open_outbox().held()
    assert held.attributes.image_bytes > MAX_PART_BYTES
    return held.capture_id


def plant_part(system: WholeSystem, capture_id: str, content: bytes) -> None:
    """Put the first part into the bucket in place of what is there, with the claim that the bridge compares."""
    held = system.open_outbox().find(capture_id)
    assert held is not None
    image_bytes = held.attributes.image_bytes
    name = object_names.part(capture_id, 0)
    if system.store.find(name) is not None:
        storage_client(system.cloud.project).bucket(system.cloud.bucket).delete_blob(name)
    claim = {
        "device_id": system.device_id,
        "image_sha256": held.attributes.image_sha256,
        "parts": str(-(-image_bytes // MAX_PART_BYTES)),
        "image_bytes": str(image_bytes),
    }
    system.store.create(name, content, content_type="application/octet-stream", metadata=claim)


def state(system: WholeSystem, capture_id: str) -> CaptureState | None:
    outbox = system.open_outbox()
    try:
        found = outbox.find(capture_id)
        return found.state if found is not None else None
    finally:
        outbox.close()


def trace(system: WholeSystem, capture_id: str) -> dict[str, Any]:
    account = system.folder / "account.jsonl"
    account.write_text(system.edge_command("trace", capture_id, "--journal", str(system.journal), "--json").stdout)
    found: dict[str, Any] = json.loads(
        cloud(system, "trace", capture_id, "--device-account", str(account), "--json").stdout
    )
    return found


def letters(system: WholeSystem) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cloud(system, "dead-letters", "list", "--json").stdout)["letters"]
    return found


def cloud(system: WholeSystem, *arguments: str) -> "subprocess.CompletedProcess[str]":
    settings = system.folder / "cloud.yaml"
    settings.write_text(yaml.safe_dump({"project": system.cloud.project, "bucket": system.cloud.bucket}))
    command = [sys.executable, "-m", "digiscope_cloud", *arguments, "--settings", str(settings)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
