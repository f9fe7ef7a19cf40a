"""Settings files, and what the cloud desires of a device."""

import dataclasses
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

from digiscope_cloud.bridge.settings import BridgeSettings
from digiscope_cloud.fleet.desired import next_desired, parse_changes
from digiscope_cloud.worker.settings import WorkerSettings
from digiscope_edge.captures import ConfigMemory
from digiscope_edge.config_sync import ConfigSync, DeviceConfig
from digiscope_edge.events import ConfigRefused
from digiscope_edge.settings import AgentSettings
from digiscope_shared import codec, settings_file
from digiscope_shared.errors import PermanentError, SettingsError
from digiscope_shared.imaging.quality import judge
from digiscope_shared.messages import DesiredConfig
from tests.fuzz.json_mutation import VALUES, as_json, bodies
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Bytes, Target

_DEPLOY: Final = Path(__file__).parents[3] / "deploy"
_YAMLS: Final = [
    *((_DEPLOY / name).read_bytes() for name in ("edge.yaml", "bridge.yaml", "cloud.yaml")),
    b"device_id: a\ncamera: {steady: {enabled: true, threshold: 3.0}}\n",
]
# Scalars and marks that YAML reads in a way of its own.
_ODD_YAML: Final = st.sampled_from(
    [
        *("2026-13-45", "1:99:99.5", "0x", "0b12", "1_000", ".inf", "-.nan", "~", "yes", "!!int ''", "!!float ''"),
        *("!!bool maybe", "!!timestamp x", "!!binary ü", "!!python/object:os.system x", "!!set {a}", "!!omap [a]"),
        *(
            "&a [*a]",
            "*a",
            "<<: {a: 1}",
            "? [a]\n: b",
            "%YAML 9.9\n---",
            "--- a\n--- b",
            "\t",
            "|\n x",
            "{a: {a: {a: 1}}}",
        ),
        *("9" * 5000, "1:" * 300 + "1", "[" * 1500, "{a: " * 1500, "'", '"\\ud800"', "\ufeff", "\0"),
    ]
)
_SETTINGS: Final = (AgentSettings, BridgeSettings, WorkerSettings)
_DEVICE_CONFIG: Final = dataclasses.asdict(DeviceConfig())
_DESIRED: Final = [
    {"schema": DesiredConfig.SCHEMA, "version": version, "config": config, "model_digest": "d"}
    for version in (1, 2)
    for config in (_DEVICE_CONFIG, {}, {"jpeg_quality": 80, "steady_trigger": True})
]
_SCORES: Final = {"side_px": 450.0, "sharpness": 0.5, "glare": 0.0, "lesion_share": 0.1}


def check_settings_file(content: bytes) -> str | None:
    """Read it as the settings of each process: one may take it."""
    text = content.decode(errors="replace")
    complaints = []
    for settings_type in _SETTINGS:
        try:
            settings_file.parse(settings_type, text, source="fuzz.yaml")
        except SettingsError as error:
            complaints.append(str(error))
    assert all(complaint.startswith("fuzz.yaml:") for complaint in complaints)
    return None if len(complaints) < len(_SETTINGS) else SettingsError.__name__


def check_desired(content: bytes) -> str | None:
    """Take it as a device does: the config in force stays whole, and usable."""
    desired = codec.decode_json(DesiredConfig, content)
    sync = ConfigSync(ConfigMemory())
    outcome = sync.consider(desired)
    judge(_SCORES, sync.config.quality)
    assert sync.config.custody_policy.window_bytes > 0
    # What was kept must be read again after a restart.
    kept = codec.decode_json(DesiredConfig, codec.encode_json(desired))
    assert ConfigSync(ConfigMemory(applied=kept)).config == sync.config
    if isinstance(outcome, ConfigRefused):
        raise SettingsError(outcome.detail)
    return None


def check_assignment(content: bytes) -> None:
    """Take it as `fleet config set` does, up to the message that the device gets."""
    changes = parse_changes([content.decode(errors="replace")])
    desired = next_desired(None, changes)
    assert codec.decode_json(DesiredConfig, codec.encode_json(desired)) == desired


def _yamls(seeds: list[bytes]) -> Bytes:
    edited = st.builds(_with_line, st.sampled_from(seeds), st.integers(0, 50), _ODD_YAML)
    return mutated(seeds) | edited


def _with_line(seed: bytes, line: int, odd: str) -> bytes:
    """Put something odd behind the colon of one line, or on a line of its own."""
    lines = seed.splitlines()
    at = line % len(lines)
    name, colon, _ = lines[at].partition(b":")
    lines[at] = name + colon + b" " + odd.encode("utf-8", "surrogatepass") if line % 3 else odd.encode()
    return b"\n".join(lines)


_CHANGES: Final = st.builds(
    lambda key, value: key + b"=" + value,
    st.sampled_from([b"jpeg_quality", b"quality.min_side_px", b"a..b", b"", b"receipt_timeout_s"]),
    _ODD_YAML.map(str.encode) | VALUES.map(as_json),
)

TARGETS: Final = (
    Target(
        name="settings-files", inputs=_yamls(_YAMLS), check=check_settings_file, refusals=(), weight=4, limit_ms=2000
    ),
    Target(
        name="device-configs",
        inputs=bodies(_DESIRED),
        check=check_desired,
        refusals=(PermanentError, SettingsError),
        weight=8,
    ),
    Target(
        name="config-assignments",
        inputs=_CHANGES | mutated([b"jpeg_quality=80", b"quality.min_side_px=1e3"]),
        check=check_assignment,
        refusals=(SettingsError,),
    ),
)
