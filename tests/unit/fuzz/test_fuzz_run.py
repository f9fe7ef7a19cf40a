"""The fuzz run itself: what it calls a fault, and what it keeps."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import strategies as st

from digiscope_shared.errors import PermanentError, Reason, SettingsError
from tests.fuzz import corpus, report
from tests.fuzz.__main__ import fuzz
from tests.fuzz.child import Child
from tests.fuzz.registry import TARGETS
from tests.fuzz.run import run
from tests.fuzz.tally import Tally
from tests.fuzz.target import Check, Target
from tests.fuzz.trial import ACCEPTED, attempt


def target_of(check: Check, *, limit_ms: float = 500, limit_mb: float = 32) -> Target:
    return Target(name="t", inputs=st.binary(max_size=8), check=check, limit_ms=limit_ms, limit_mb=limit_mb)


def refuse(_: bytes) -> None:
    raise PermanentError(Reason.BAD_BODY, "no")


def refuse_otherwise(_: bytes) -> None:
    raise SettingsError("no")


def work_long(_: bytes) -> None:
    sum(range(2_000_000))


def hold_much(_: bytes) -> None:
    assert bytearray(b"x" * 80 * 2**20)


@pytest.mark.parametrize(
    ("check", "verdict", "fault"),
    [
        (lambda _: None, ACCEPTED, ""),
        (lambda _: "off centre", "off centre", ""),
        (refuse, "PermanentError bad-body", ""),
        (refuse_otherwise, ACCEPTED, "SettingsError at test_fuzz_run.py"),
        (lambda content: content[0], ACCEPTED, "IndexError at test_fuzz_run.py"),
        (work_long, ACCEPTED, "too slow"),
        (hold_much, ACCEPTED, "too large"),
    ],
)
def test_a_fault_is_an_untyped_error_or_a_broken_bound(check: Check, verdict: str, fault: str) -> None:
    trial = attempt(target_of(check, limit_ms=10 if check is work_long else 10_000), b"")
    assert trial.verdict == verdict
    assert trial.fault.startswith(fault)
    assert bool(trial.fault) == bool(fault)


def test_the_same_seed_draws_the_same_inputs_and_each_once() -> None:
    drawn: dict[int, list[bytes]] = {}
    for number, seed in enumerate((7, 7, 8)):
        inputs: list[bytes] = []
        target = target_of(lambda content, inputs=inputs: inputs.append(content))  # type: ignore[misc]
        assert run(target, seed=seed, inputs=700, attempt=attempt).inputs == 700
        drawn[number] = inputs
        assert len(set(inputs)) == 700
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_shortest_input_of_each_fault_is_kept() -> None:
    tally = run(target_of(lambda content: str(1 // (len(content) < 3))), seed=1, inputs=300, attempt=attempt)
    ((fault, content),) = tally.faults.items()
    assert fault.startswith("ZeroDivisionError")
    assert len(content) == 3
    assert "1  " in report.table({"t": tally})


def test_a_fault_ends_the_run_with_1_and_its_input_in_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "FOLDER", tmp_path)
    monkeypatch.setattr(Child, "run", lambda _: Tally(inputs=1, faults={"KeyError at x.py:1": b"bad"}))
    result = CliRunner().invoke(fuzz, ["--seed", "7", "--target", "topics"])
    assert result.exit_code == 1
    assert "KeyError at x.py:1" in result.output
    assert "seed 7" in result.output
    assert [path.read_bytes() for path in corpus.entries("topics")] == [b"bad"]


def test_a_target_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    tally = Child(target=TARGETS["topics"], seed=1, inputs=20, scratch=tmp_path).run()
    assert (tally.inputs, tally.faults) == (20, {})
