from dataclasses import replace

import pytest

from digiscope_edge import events as happened
from digiscope_edge.terminal_view import MAX_ROWS, TerminalView, duration_text, features_of, shown, size_text
from digiscope_shared.errors import Reason
from digiscope_shared.lesions import LesionClass
from digiscope_shared.messages import AnalysisResult, CameraHealth, Prescreen, Refusal, Triage

PRESCREEN = Prescreen(
    model_digest="d" * 64, probabilities={LesionClass.NV: 0.81, LesionClass.MEL: 0.12}, triage=Triage.ROUTINE
)


def accepted(capture_id: str, sequence: int = 1) -> happened.CaptureAccepted:
    return happened.CaptureAccepted(
        capture_id=capture_id, sequence=sequence, source="camera:0", image_bytes=84_000, prescreen=PRESCREEN
    )


def answered(capture_id: str, *, refusal: Refusal | None = None) -> happened.CaptureAnswered:
    result = AnalysisResult(
        capture_id=capture_id,
        device_id="pi",
        image_sha256="0" * 64,
        model_digest="c" * 64,
        model_id="paper-cnn",
        triage=Triage.RETAKE if refusal else Triage.REFER,
        analysed_at="",
        traceparent="",
        probabilities={} if refusal else {LesionClass.MEL: 0.634, LesionClass.NV: 0.3},
        refusal=refusal,
    )
    return happened.CaptureAnswered(capture_id=capture_id, result=result, latency_s=1.4)


def view_after(*events: happened.Event) -> TerminalView:
    view = TerminalView(device_id="pi")
    for event in events:
        view.apply(event, 100.0)
    return view


def test_a_capture_on_its_way() -> None:
    view = TerminalView()
    steps: list[tuple[happened.Event, str]] = [
        (accepted("a", 7), "captured"),
        (happened.CaptureProgressed(capture_id="a", parts_sent=3, parts=7), "3/7 parts"),
        (happened.CaptureStored(capture_id="a"), "stored"),
        (answered("a"), "answered"),
    ]
    for event, progress in steps:
        view.apply(event, 100.0)
        (row,) = view.rows()
        assert row.progress == progress
    assert row.label == "#7"
    assert str(row.preliminary) == "nv 0.81 routine"
    assert str(row.final) == "mel 0.63 refer"
    assert row.took_s(999.0) == 1.4
    assert view.counts == {"captured": 1, "stored": 1, "answered": 1, "refused": 0, "rejected": 0}


def test_time_runs_until_the_answer() -> None:
    view = view_after(accepted("a"))
    assert view.waits
    assert view.rows()[0].took_s(103.5) == 3.5
    view.apply(answered("a"), 104.0)
    assert not view.waits


@pytest.mark.parametrize(
    "late", [happened.CaptureStored(capture_id="a"), happened.CaptureProgressed(capture_id="a", parts_sent=1, parts=1)]
)
def test_a_receipt_after_the_answer_changes_nothing(late: happened.Event) -> None:
    assert view_after(accepted("a"), answered("a"), late).rows()[0].progress == "answered"


def test_refused_by_the_worker_asks_for_a_retake() -> None:
    refusal = Refusal(reason=Reason.UNREADABLE_IMAGE, detail="truncated")
    assert str(view_after(answered("a", refusal=refusal)).rows()[0].final) == "retake: unreadable-image"


def test_a_capture_from_before_the_restart_has_a_row() -> None:
    (row,) = view_after(answered("0190f0c2-0000-7000-8000-00000000beef")).rows()
    assert row.label == "…00beef"
    assert row.preliminary is None
    assert row.took_s(0.0) == 1.4


def test_advice_stays_until_the_next_good_capture() -> None:
    refused = happened.CaptureRefused(source="camera:0", reason="sharpness", advice="Hold still.")
    view = view_after(refused)
    assert view.advice == "camera:0 refused (sharpness): Hold still."
    view.apply(accepted("a"), 101.0)
    assert view.advice == ""
    assert view.counts["refused"] == 1


def test_rejected_shows_why() -> None:
    rejected = happened.CaptureRejected(capture_id="a", reason="wrong-hash", detail="parts differ")
    (row,) = view_after(accepted("a"), rejected).rows()
    assert row.progress == "rejected"
    assert row.rejection == "wrong-hash: parts differ"


def test_problems_are_told_and_forgotten() -> None:
    view = view_after(
        happened.LinkChanged(connected=False, detail="no route to broker"),
        happened.CameraChanged(health=CameraHealth(state="gone", detail="unplugged", restarts=4)),
        happened.OutboxChanged(captures=9, held_bytes=900, full=True),
        happened.ConfigApplied(version=4),
        happened.ConfigRefused(version=5, detail="unknown key"),
    )
    full, link, camera, config = view.problems
    assert "full" in full
    assert "no route to broker" in link
    assert "unplugged (restarts: 4)" in camera
    assert config == "Config 5 refused, 4 stays: unknown key"
    for event in (
        happened.LinkChanged(connected=True, detail="connected"),
        happened.CameraChanged(health=CameraHealth(state="idle")),
        happened.OutboxChanged(captures=0, held_bytes=0, full=False),
        happened.ConfigApplied(version=6),
    ):
        view.apply(event, 101.0)
    assert not view.problems


def test_memory_stays_bounded() -> None:
    view = view_after(*(accepted(str(number), number) for number in range(MAX_ROWS + 5)))
    assert len(view.rows()) == MAX_ROWS
    assert view.rows()[0].label == "#5"


def test_control_characters_never_reach_the_terminal() -> None:
    refused = happened.CaptureRefused(source="\x1b[2Jevil.jpg", reason="r", advice="a\nb")
    assert view_after(refused).advice == "�[2Jevil.jpg refused (r): a�b"
    assert shown("Größe 5 µm") == "Größe 5 µm"


def test_units() -> None:
    assert [size_text(size) for size in (0, 84_000, 1_234_567)] == ["0 kB", "84 kB", "1.2 MB"]
    assert [duration_text(seconds) for seconds in (None, 1.44, 300, 7200)] == ["", "1.4 s", "5 min", "2 h"]


def test_the_newest_result_s_features_stand_in_one_line() -> None:
    event = answered("a")
    result = replace(event.result, findings={"vision": {"summary": "A1 B3 C2 · 6.1 mm\x1b[2J"}})
    view = view_after(accepted("a", 7), replace(event, result=result))
    assert view.finding.endswith("A1 B3 C2 · 6.1 mm\N{REPLACEMENT CHARACTER}[2J")
    assert view_after(accepted("a"), event).finding == ""
    assert features_of(replace(result, findings={"vision": "odd"})) == ""
