"""The same targets as `make fuzz`: everything that was ever found, and a few hundred drawn inputs each."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import corpus
from tests.fuzz.registry import TARGETS
from tests.fuzz.target import Target
from tests.fuzz.trial import attempt

ENTRIES = [(target, path) for target in TARGETS.values() for path in corpus.entries(target.name)]


@pytest.mark.parametrize(("target", "path"), ENTRIES, ids=[f"{target.name}/{path.name}" for target, path in ENTRIES])
def test_what_is_in_the_corpus_breaks_nothing(target: Target, path: Path) -> None:
    trial = attempt(target, path.read_bytes())
    assert not trial.fault, trial


def test_every_folder_of_the_corpus_belongs_to_a_target() -> None:
    assert {folder.name for folder in corpus.FOLDER.iterdir()} <= TARGETS.keys()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@settings(max_examples=200, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_only_typed_errors_come_out_within_time_and_memory(target: Target, data: st.DataObject) -> None:
    trial = attempt(target, data.draw(target.inputs))
    assert not trial.fault, trial
