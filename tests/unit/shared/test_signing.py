import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digiscope_shared import signing
from digiscope_shared.errors import PermanentError, Reason, SettingsError

KEY = signing.new_signing_key()
OTHER = signing.new_signing_key()
DEVICE = "clinic-07"


def trusted(tmp_path: Path, *keys: signing.SigningKey) -> signing.TrustedKeys:
    path = tmp_path / "signing.pub"
    path.write_text("# the fleet\n\n" + "\n".join(key.public_line for key in keys) + "\n")
    return signing.load_trusted_keys(path)


def refused(keys: signing.TrustedKeys, body: bytes, signature: str, device_id: str = DEVICE) -> str:
    with pytest.raises(PermanentError) as caught:
        signing.verify_config(keys, device_id, body, {"signature": signature})
    assert caught.value.reason is Reason.BAD_SIGNATURE
    return caught.value.detail


def test_a_config_signed_by_the_fleet_is_taken(tmp_path: Path) -> None:
    signature = signing.sign_config(KEY, DEVICE, b"{}")
    signing.verify_config(trusted(tmp_path, KEY), DEVICE, b"{}", {"signature": signature})


def test_both_keys_hold_while_the_fleet_changes_its_key(tmp_path: Path) -> None:
    keys = trusted(tmp_path, KEY, OTHER)
    for key in (KEY, OTHER):
        signing.verify_config(keys, DEVICE, b"{}", {"signature": signing.sign_config(key, DEVICE, b"{}")})


def test_nothing_else_is_taken(tmp_path: Path) -> None:
    keys = trusted(tmp_path, KEY)
    signature = signing.sign_config(KEY, DEVICE, b"{}")
    assert refused(keys, b"{}", "") == "not signed"
    assert refused(keys, b"{ }", signature) == "the signature doesn't fit the content"
    assert refused(keys, b"{}", signature, device_id="clinic-08") == "the signature doesn't fit the content"
    assert refused(keys, b"{}", signing.sign_config(OTHER, DEVICE, b"{}")) == "not signed by this fleet"
    # Its own key id with another key's signature, and what isn't base64.
    prefix = signature.rpartition(":")[0]
    forged = signing.sign_config(OTHER, DEVICE, b"{}").rpartition(":")[2]
    refused(keys, b"{}", f"{prefix}:{forged}")
    refused(keys, b"{}", f"{prefix}:***")


def test_parts_dont_run_together(tmp_path: Path) -> None:
    signature = signing.sign_config(KEY, "a", b"bc")
    refused(trusted(tmp_path, KEY), b"c", signature, device_id="ab")


def test_a_configs_signature_is_none_of_a_manifest(tmp_path: Path) -> None:
    body = b'{"id":"m"}'
    manifest = {"id": "m", "signature": KEY.sign(signing.Purpose.CONFIG, body)}
    with pytest.raises(PermanentError):
        signing.verify_manifest(trusted(tmp_path, KEY), manifest)


def test_a_manifest_is_covered_whole_but_for_its_signature(tmp_path: Path) -> None:
    keys = trusted(tmp_path, KEY)
    signed = signing.sign_manifest(KEY, {"id": "m", "labels": ["mel", "nv"], "temperature": 1.5})
    signing.verify_manifest(keys, json.loads(json.dumps(signed, indent=2)))
    signing.verify_manifest(keys, signing.sign_manifest(KEY, signed))
    for changed in ({**signed, "temperature": 1.25}, {**signed, "labels": ["nv", "mel"]}, {**signed, "leaky": False}):
        with pytest.raises(PermanentError):
            signing.verify_manifest(keys, changed)


@pytest.mark.parametrize("manifest", [{"signature": 7}, {"x": float("nan")}, {"x": "\ud800"}, {}])
def test_a_strange_manifest_is_refused(tmp_path: Path, manifest: dict[str, Any]) -> None:
    with pytest.raises(PermanentError):
        signing.verify_manifest(trusted(tmp_path, KEY), manifest)


@given(st.text(max_size=200), st.binary(max_size=50))
def test_any_text_as_signature_is_refused_with_a_reason(signature: str, body: bytes) -> None:
    refused(signing.TrustedKeys(keys={}), body, signature)
    key_id = signing.sign_config(KEY, DEVICE, b"").split(":")[1]
    keys = signing.TrustedKeys(keys={key_id: KEY.private.public_key()})
    refused(keys, body, f"ed25519:{key_id}:{signature}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "names no key"),
        ("rsa AAAA\n", ":1: expected"),
        ("# k\ned25519 AAAA\n", ":2: not an Ed25519"),
        ("ed25519\n", ":1:"),
    ],
)
def test_a_bad_key_file_is_answered_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "signing.pub"
    path.write_text(text)
    with pytest.raises(SettingsError, match=complaint):
        signing.load_trusted_keys(path)


def test_the_private_key_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(signing.signing_key_pem(KEY))
    assert signing.load_signing_key(path).public_line == KEY.public_line
    path.write_text("no key")
    with pytest.raises(SettingsError):
        signing.load_signing_key(path)
