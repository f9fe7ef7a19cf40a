import json
import shutil
from importlib import resources
from pathlib import Path

import pytest

from digiscope_cloud.identity.bundle_signing import sign_bundle
from digiscope_edge.bootstrap import load_classifier
from digiscope_edge.settings import AgentSettings
from digiscope_shared import signing
from digiscope_shared.errors import PermanentError, Reason, SettingsError
from digiscope_shared.model_bundle import load_bundle, read_manifest

KEY = signing.new_signing_key()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    with resources.as_file(resources.files("digiscope_edge") / "bundles" / "prescreen") as shipped:
        return Path(shutil.copytree(shipped, tmp_path / "bundle"))


@pytest.fixture
def trusted_keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "signing.pub"
    path.write_text(KEY.public_line)
    return path


def test_a_signed_copy_differs_in_nothing_but_its_signature(bundle: Path, trusted_keys_file: Path) -> None:
    signed = sign_bundle(bundle, KEY, bundle.with_name("signed"))
    signing.verify_manifest(signing.load_trusted_keys(trusted_keys_file), read_manifest(signed.path))
    before, after = load_bundle(bundle), load_bundle(signed.path)
    assert after.digest != before.digest
    assert after.model_bytes == before.model_bytes
    fields = json.loads(read_manifest(signed.path))
    original = json.loads(read_manifest(bundle))
    assert {**fields, "signature": ""} == {**original, "signature": ""}


def test_a_bundle_is_never_written_over(bundle: Path) -> None:
    with pytest.raises(SettingsError, match="never changed"):
        sign_bundle(bundle, KEY, bundle)


def test_a_device_takes_only_a_bundle_that_its_fleet_signed(bundle: Path, trusted_keys_file: Path) -> None:
    def settings(folder: Path) -> AgentSettings:
        return AgentSettings(device_id="dev", bundle_dir=str(folder), trusted_keys_file=str(trusted_keys_file))

    with pytest.raises(PermanentError) as caught:
        load_classifier(settings(bundle))
    assert caught.value.reason is Reason.BAD_SIGNATURE
    foreign = sign_bundle(bundle, signing.new_signing_key(), bundle.with_name("foreign"))
    with pytest.raises(PermanentError):
        load_classifier(settings(foreign.path))
    signed = sign_bundle(bundle, KEY, bundle.with_name("signed"))
    classifier = load_classifier(settings(signed.path))
    assert classifier is not None
    assert classifier.model_digest == signed.digest
    manifest = json.loads(read_manifest(signed.path)) | {"leaky": True}
    (signed.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(PermanentError):
        load_classifier(settings(signed.path))
