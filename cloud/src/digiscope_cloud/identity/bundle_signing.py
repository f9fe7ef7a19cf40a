"""Signing a model bundle: a copy whose manifest carries the fleet's signature, and so a digest of its own."""

import json
import shutil
from pathlib import Path

from digiscope_shared.errors import SettingsError
from digiscope_shared.model_bundle import MANIFEST, ModelBundle, load_bundle, read_manifest
from digiscope_shared.signing import SIGNATURE, SigningKey, sign_manifest


def sign_bundle(bundle: Path, key: SigningKey, into: Path) -> ModelBundle:
    """Copy the files that the manifest lists, sign it, and return what was written, loaded again.

    Raises:
        PermanentError: `bad-bundle`.
        SettingsError: `into` is there already: bundles are immutable.
    """
    loaded = load_bundle(bundle)
    manifest = json.loads(read_manifest(bundle))
    try:
        into.mkdir(parents=True)
    except FileExistsError as error:
        raise SettingsError(f"{into}: is there already; a bundle is never changed") from error
    for name in loaded.manifest.files:
        shutil.copyfile(bundle / name, into / name)
    signed = manifest | {SIGNATURE: sign_manifest(key, manifest)}
    (into / MANIFEST).write_text(json.dumps(signed, indent=1, ensure_ascii=False), encoding="utf-8")
    return load_bundle(into)
