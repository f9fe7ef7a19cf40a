"""What a person reads at the demo's end: each capture's answer, then the two accounts."""

from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from digiscope_cloud.local.account import Account, JournalLine
from digiscope_shared.lesions import DISCLAIMER, LesionClass

MAX_ROWS: Final = 60


def show_captures(journal: list[JournalLine], console: Console) -> None:
    """Print a line a capture: what the prescreen thought, the probabilities of the result, triage, seconds."""
    accepted = {line["capture_id"]: line for line in journal if line["event"] == "CaptureAccepted"}
    table = Table("#", "before", *LesionClass, "triage", "s", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=DISCLAIMER)
    answered = [line for line in journal if line["event"] == "CaptureAnswered" and line["capture_id"] in accepted]
    for line in sorted(answered, key=lambda line: int(accepted[line["capture_id"]]["sequence"]))[:MAX_ROWS]:
        first, result = accepted[line["capture_id"]], line["result"]
        table.add_row(
            str(first["sequence"]),
            _likeliest(first["prescreen"]),
            *(_probability(result["probabilities"], lesion_class) for lesion_class in LesionClass),
            result["triage"],
            f"{line['latency_s']:.2f}",
        )
    console.print(table)
    for line in journal:
        if line["event"] == "CaptureRefused":
            console.print(f"refused: {line['source']}: {line['reason']}. {line['advice']}", markup=False)


def show_account(account: Account, took_s: float, console: Console) -> None:
    """Print the summary; the words that scripts look for are `captured`, `stored`, `answered`, `lost` and `twice`."""
    console.print(
        f"{account.captured} captured, {account.stored} stored, {account.answered} answered, "
        f"{account.lost} lost, {account.answered_twice} twice",
        style="bold green" if account.passed else "bold red",
        highlight=False,
    )
    console.print(
        f"Capture to result: median {account.latency_median_s:.2f} s, 99th percentile {account.latency_p99_s:.2f} s. "
        f"Refused by the quality gate: {account.refused}. Left in the outbox: {account.held_by_device}. "
        f"Took {took_s:.0f} s, start and end included.",
        highlight=False,
    )
    console.print("Counted in the bucket and, by itself, in the agent's journal.", highlight=False)


def _likeliest(prescreen: dict[str, Any] | None) -> str:
    if not prescreen or not prescreen["probabilities"]:
        return "-"
    name, probability = max(prescreen["probabilities"].items(), key=lambda item: float(item[1]))
    return f"{name} {_two_digits(probability)}"


def _probability(probabilities: dict[str, float], lesion_class: LesionClass) -> str:
    return _two_digits(probabilities[lesion_class]) if lesion_class in probabilities else "-"


def _two_digits(probability: float) -> str:
    """Return .07 for 0.07: eighty columns hold seven classes."""
    return f"{probability:.2f}".removeprefix("0")
