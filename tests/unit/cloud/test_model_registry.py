"""Promotion only through the gates; the log only grows."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from digiscope_cloud.learning.evaluate_command import evaluate_command
from digiscope_cloud.learning.model_registry.__main__ import models
from digiscope_cloud.learning.model_registry.gates import GateError, check_not_worse, paired_difference
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.lesions import LesionClass
from tests.support.model_bundles import tiny_bundle


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle(folder / "first", seed=1)
    tiny_bundle(folder / "second", seed=2)
    tiny_bundle(folder / "leaky", seed=1, leaky=True)
    images = folder / "images"
    images.mkdir()
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image_id", "dx", "lesion_id"))
        for seed in range(14):
            cv2.imwrite(str(images / f"p{seed}.jpg"), draw_phantom(seed, width=120, height=90))
            table.writerow((f"p{seed}", list(LesionClass)[seed % 7], f"l{seed // 2}"))
        table.writerow(("not-there", "nv", "l99"))
    return folder


def _run(registry: Path, *arguments: str) -> Result:
    return CliRunner().invoke(models, [arguments[0], *arguments[1:], "--registry", str(registry)])


def _promote(registry: Path, bundles: Path, name: str, *more: str) -> Result:
    return _run(registry, "promote", str(bundles / name), "--by", "tester", "--why", "because", *more)


def test_a_leaky_bundle_is_refused_and_told_why(tmp_path: Path, bundles: Path) -> None:
    result = _promote(tmp_path, bundles, "leaky")
    assert result.exit_code == 1
    assert "leaks" in result.output
    assert json.loads(_run(tmp_path, "list", "--json").output) == []


def test_promote_compare_roll_back_and_the_log(tmp_path: Path, bundles: Path) -> None:
    assert _promote(tmp_path, bundles, "first").exit_code == 0
    blind = _promote(tmp_path, bundles, "second")
    assert blind.exit_code == 1
    assert "--images" in blind.output
    labelled = ("--images", str(bundles / "images"), "--labels", str(bundles / "labels.csv"))
    compared = _promote(tmp_path, bundles, "second", *labelled)
    assert compared.exit_code == 0, compared.output
    assert "against the champion" in compared.output
    assert _run(tmp_path, "rollback", "--by", "tester", "--why", "worse in the field").exit_code == 0
    moves = [json.loads(line) for line in _run(tmp_path, "log").output.splitlines()]
    assert [(move["act"], move["by"], move["why"]) for move in moves] == [
        ("promote", "tester", "because"),
        ("promote", "tester", "because"),
        ("rollback", "tester", "worse in the field"),
    ]
    assert moves[2]["after"] == moves[0]["after"] != moves[1]["after"]
    listed = {row["digest"]: row["aliases"] for row in json.loads(_run(tmp_path, "list", "--json").output)}
    assert listed[moves[0]["after"]] == ["champion"]
    assert "rollback champion by tester" in _run(tmp_path, "show", "champion").output


def test_nothing_to_roll_back_to(tmp_path: Path, bundles: Path) -> None:
    _promote(tmp_path, bundles, "first")
    result = _run(tmp_path, "rollback", "--why", "x")
    assert result.exit_code == 1
    assert "no champion before" in result.output


def test_a_worse_model_is_refused() -> None:
    classes = np.arange(140) % 7
    difference = paired_difference(classes, (classes + 1) % 7, classes, [f"g{row // 2}" for row in range(140)])
    assert difference.value == -1.0
    with pytest.raises(GateError, match="worse"):
        check_not_worse(difference)


def test_an_equal_model_passes() -> None:
    classes = np.arange(140) % 7
    assert "+0.0000" in check_not_worse(paired_difference(classes, classes, classes, [str(n) for n in range(140)]))


def test_evaluate_gives_the_stable_keys(bundles: Path) -> None:
    arguments = ["--model", str(bundles / "first"), "--images", str(bundles / "images")]
    result = CliRunner().invoke(evaluate_command, [*arguments, "--labels", str(bundles / "labels.csv"), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found["recall"]) == set(LesionClass)
    for key in (
        "balanced_accuracy",
        "accuracy",
        "macro_auroc",
        "malignant.auroc",
        "malignant.specificity_at_sensitivity_95",
        "ece",
    ):
        assert set(found[key]) == {"value", "low", "high"}, key
    assert found["unreadable"] == ["not-there"]
    assert found["images"] == 14


def test_evaluate_names_what_is_wrong(bundles: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("name,dx\nx,nv\n", encoding="utf-8")
    arguments = ["--model", str(bundles / "first"), "--images", str(bundles / "images")]
    result = CliRunner().invoke(evaluate_command, [*arguments, "--labels", str(tmp_path / "labels.csv")])
    assert result.exit_code == 2
    assert "'image_id' is missing" in result.output
