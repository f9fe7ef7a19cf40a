from digiscope_edge.captures import ConfigMemory
from digiscope_edge.config_sync import ConfigSync
from digiscope_edge.events import ConfigApplied
from digiscope_shared.messages import DesiredConfig


def desired(version: int) -> DesiredConfig:
    return DesiredConfig(version=version, config={"jpeg_quality": 80})


def test_a_forged_config_is_noted_and_blocks_no_true_one() -> None:
    sync = ConfigSync(ConfigMemory())
    sync.distrust(1_000_000, "not signed")
    assert sync.distrusted is not None
    assert sync.version == 0
    assert sync.consider(desired(1)) == ConfigApplied(version=1)
    assert sync.distrusted is None


def test_what_is_older_than_what_is_in_force_changes_nothing() -> None:
    sync = ConfigSync(ConfigMemory(applied=desired(7)))
    assert sync.consider(desired(6)) is None
    assert sync.consider(desired(7)) is None
    assert sync.version == 7
    assert sync.consider(desired(8)) == ConfigApplied(version=8)
