import json
from pathlib import Path
from typing import Any

import msgspec
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


def signed(key: signing.SigningKey = KEY, device_id: str = DEVICE, **config: Any) -> dict[str, Any]:
    fields = {"schema": "digiscope.config/1", "version": 3, "config": config}
    return fields | {"signature": signing.sign_config(key, device_id, fields)}


def refused(keys: signing.TrustedKeys, body: bytes, device_id: str = DEVICE) -> str:
    with pytest.raises(PermanentError) as caught:
        signing.verify_config(keys, device_id, body)
    assert caught.value.reason is Reason.BAD_SIGNATURE
    return caught.value.detail


def as_body(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()


def test_a_config_signed_by_the_fleet_is_taken_however_it_is_written_down(tmp_path: Path) -> None:
    keys = trusted(tmp_path, KEY)
    fields = signed(min_sharpness=1e22, name="Zürich \U0001f9b4", limits=[1, 2.5, None])
    signing.verify_config(keys, DEVICE, as_body(fields))
    signing.verify_config(keys, DEVICE, json.dumps(fields, indent=3, sort_keys=True, ensure_ascii=False).encode())
    signing.verify_config(keys, DEVICE, msgspec.json.encode(fields))


def test_both_keys_hold_while_the_fleet_changes_its_key(tmp_path: Path) -> None:
    keys = trusted(tmp_path, KEY, OTHER)
    for key in (KEY, OTHER):
        signing.verify_config(keys, DEVICE, as_body(signed(key)))


def test_nothing_else_is_taken(tmp_path: Path) -> None:
    keys = trusted(tmp_path, KEY)
    fields = signed(width=1280)
    misfit = "the signature doesn't fit the content"
    assert refused(keys, b"{}") == "not signed"
    assert refused(keys, as_body({**fields, "version": 4})) == misfit
    assert refused(keys, as_body({**fields, "config": {"width": 1281}})) == misfit
    assert refused(keys, as_body({**fields, "model_digest": "0"})) == misfit
    assert refused(keys, as_body(fields), device_id="clinic-08") == misfit
    assert refused(keys, as_body(signed(OTHER))) == "not signed by this fleet"
    assert refused(keys, as_body({**fields, "signature": 7})) == "not signed"


def test_a_forged_signature_is_refused_with_the_fleets_own_key_id(tmp_path: Path) -> None:
    keys, fields = trusted(tmp_path, KEY), signed()
    prefix = fields["signature"].rpartition(":")[0]
    for forged in (signed(OTHER)["signature"].rpartition(":")[2], "***", "", "AAAA"):
        refused(keys, as_body({**fields, "signature": f"{prefix}:{forged}"}))


def test_parts_dont_run_together() -> None:
    keys = signing.TrustedKeys(keys={KEY.sign(signing.Purpose.CONFIG).split(":")[1]: KEY.private.public_key()})
    signature = KEY.sign(signing.Purpose.CONFIG, b"a", b"bc")
    keys.verify(signature, signing.Purpose.CONFIG, b"a", b"bc")
    with pytest.raises(PermanentError):
        keys.verify(signature, signing.Purpose.CONFIG, b"ab", b"c")


def test_a_configs_signature_is_none_of_a_manifest(tmp_path: Path) -> None:
    keys, manifest = trusted(tmp_path, KEY), {"id": "m"}
    signing.verify_manifest(keys, as_body(manifest | {"signature": signing.sign_manifest(KEY, manifest)}))
    for signature in (signing.sign_config(KEY, DEVICE, manifest), signing.sign_config(KEY, "", manifest)):
        with pytest.raises(PermanentError):
            signing.verify_manifest(keys, as_body(manifest | {"signature": signature}))


@given(st.text(max_size=200), st.binary(max_size=50))
def test_any_text_as_signature_is_refused_with_a_reason(signature: str, body: bytes) -> None:
    key_id = signing.sign_config(KEY, DEVICE, {}).split(":")[1]
    keys = signing.TrustedKeys(keys={key_id: KEY.private.public_key()})
    refused(keys, body)
    refused(keys, as_body({"signature": signature}))
    refused(keys, as_body({"signature": f"ed25519:{key_id}:{signature}"}))


@pytest.mark.parametrize(
    "body", [b"[]", b"NaN", b'{"x":"\\ud800"}', b"[" * 100_000, b'{"a":' * 2000 + b"1" + b"}" * 2000]
)
def test_a_strange_body_is_refused_with_a_reason(tmp_path: Path, body: bytes) -> None:
    refused(trusted(tmp_path, KEY), body)


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
