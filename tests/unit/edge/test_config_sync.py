"""When a desired config comes into force, and what is said when it doesn't."""

from typing import Any

import pytest

from digiscope_edge.captures import ConfigMemory
from digiscope_edge.config_sync import ConfigSync
from digiscope_edge.events import ConfigApplied, ConfigRefused
from digiscope_shared.messages import DesiredConfig


def desired(version: int, **config: Any) -> DesiredConfig:
    return DesiredConfig(version=version, config=config)


def test_a_newer_config_comes_into_force_and_an_older_is_ignored() -> None:
    sync = ConfigSync(ConfigMemory())
    assert sync.consider(desired(2, receipt_timeout_s=3, quality={"min_side_px": 50})) == ConfigApplied(version=2)
    assert sync.config.custody_policy.receipt_timeout_s == 3
    assert sync.config.quality.min_side_px == 50
    assert sync.consider(desired(2, receipt_timeout_s=9)) is None
    assert sync.consider(desired(1)) is None
    assert sync.config.receipt_timeout_s == 3


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"recipt_timeout_s": 3}, "unknown key 'recipt_timeout_s'"),
        ({"prescreen": "maybe"}, "prescreen"),
        ({"receipt_timeout_s": -1}, "receipt_timeout_s"),
        ({"quality": {"blur": 1}}, "unknown key 'quality.blur'"),
    ],
)
def test_a_bad_config_is_refused_with_the_reason_and_the_last_good_one_stays(
    config: dict[str, Any], words: str
) -> None:
    sync = ConfigSync(ConfigMemory())
    sync.consider(desired(1, jpeg_quality=80))
    refused = sync.consider(desired(2, **config))
    assert isinstance(refused, ConfigRefused)
    assert words in refused.detail
    assert (sync.version, sync.config.jpeg_quality, sync.refused) == (1, 80, refused)
    assert sync.consider(desired(2, **config)) is None
    assert sync.consider(desired(3)) == ConfigApplied(version=3)
    assert sync.refused is None


def test_it_is_remembered_across_restarts() -> None:
    memory = ConfigMemory(applied=desired(5, jpeg_quality=70), refused_version=6, refused_detail="why")
    sync = ConfigSync(memory)
    assert (sync.version, sync.config.jpeg_quality) == (5, 70)
    assert sync.refused == ConfigRefused(version=6, detail="why")
