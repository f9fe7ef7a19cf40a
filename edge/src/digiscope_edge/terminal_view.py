"""What a person sees of the device: events in, rows out. Pure: no terminal, no clock, no colour."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from digiscope_edge import events as happened
from digiscope_shared.lesions import LesionClass
from digiscope_shared.lifecycle import CaptureState
from digiscope_shared.messages import AnalysisResult, CameraHealth, Prescreen, Triage

# Memory stays bounded over weeks; a screen shows the newest few.
MAX_ROWS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One model's answer, short: the likeliest class with its probability, and what to do next."""

    triage: Triage
    lesion_class: LesionClass | None = None
    probability: float | None = None
    refusal: str = ""

    def __str__(self) -> str:
        if self.refusal:
            return f"{self.triage}: {self.refusal}"
        if self.lesion_class is None:
            return str(self.triage)
        return f"{self.lesion_class} {self.probability:.2f} {self.triage}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRow:
    """One capture; `sequence` is None where it was taken before the agent started. Times in the view's seconds."""

    capture_id: str
    sequence: int | None = None
    source: str = ""
    image_bytes: int = 0
    state: CaptureState = CaptureState.ACCEPTED
    parts_sent: int = 0
    parts: int = 0
    preliminary: Answer | None = None
    final: Answer | None = None
    rejection: str = ""
    accepted_at_s: float | None = None
    answered_after_s: float | None = None

    @property
    def waits(self) -> bool:
        return self.state not in (CaptureState.ANSWERED, CaptureState.REJECTED)

    @property
    def label(self) -> str:
        return f"#{self.sequence}" if self.sequence is not None else f"…{self.capture_id[-6:]}"

    @property
    def progress(self) -> str:
        """Return the step as a nurse reads it: captured, 3/7 parts, stored, answered, rejected."""
        if self.state is CaptureState.ACCEPTED:
            return "captured"
        return f"{self.parts_sent}/{self.parts} parts" if self.state is CaptureState.SENDING else str(self.state)

    def took_s(self, now_s: float) -> float | None:
        """Return seconds from capture to answer, or until now while it waits; None where unknown."""
        if self.answered_after_s is not None:
            return self.answered_after_s
        return now_s - self.accepted_at_s if self.waits and self.accepted_at_s is not None else None


@dataclass(slots=True, kw_only=True)
class TerminalView:
    """The whole picture. `apply` takes each event once; everything else is read."""

    device_id: str = ""
    model_digest: str = ""
    link: str = "connecting"
    connected: bool = False
    camera: CameraHealth = field(default_factory=lambda: CameraHealth(state="none"))
    outbox_captures: int = 0
    outbox_bytes: int = 0
    outbox_full: bool = False
    config_version: int = 0
    config_refusal: str = ""
    advice: str = ""
    # The newest result's features in one line, from the worker's vision stage.
    finding: str = ""
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("captured", "stored", "answered", "refused", "rejected"), 0)
    )
    _rows: dict[str, CaptureRow] = field(default_factory=dict)

    def apply(self, event: happened.Event, now_s: float) -> None:
        _HANDLERS[type(event)](self, event, now_s)

    def rows(self) -> tuple[CaptureRow, ...]:
        """Return the captures, oldest first."""
        return tuple(self._rows.values())

    def row(self, capture_id: str) -> CaptureRow:
        return self._rows.get(capture_id, CaptureRow(capture_id=capture_id))

    @property
    def waits(self) -> bool:
        """Return True where a row's time is still running."""
        return any(row.waits for row in self._rows.values())

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what a person should know or mend, the most pressing first."""
        found: list[str] = []
        if self.outbox_full:
            found.append("The outbox is full: no new captures until the link has carried some away.")
        if not self.connected and self.link:
            found.append(f"No link ({self.link}). Captures are kept here and sent when it is back.")
        if self.camera.state in ("gone", "frozen"):
            found.append(f"Camera {self.camera.state}: {self.camera.detail} (restarts: {self.camera.restarts})")
        if self.config_refusal:
            found.append(self.config_refusal)
        return tuple(shown(problem) for problem in found)

    def _accepted(self, event: happened.CaptureAccepted, now_s: float) -> None:
        self.counts["captured"] += 1
        self.advice = ""
        self._put(
            replace(
                self.row(event.capture_id),
                sequence=event.sequence,
                source=shown(event.source),
                image_bytes=event.image_bytes,
                preliminary=preliminary_answer(event.prescreen) if event.prescreen else None,
                accepted_at_s=now_s,
            )
        )

    def _refused(self, event: happened.CaptureRefused, _now_s: float) -> None:
        self.counts["refused"] += 1
        self.advice = shown(f"{event.source} refused ({event.reason}): {event.advice}")

    def _progressed(self, event: happened.CaptureProgressed, _now_s: float) -> None:
        row = self.row(event.capture_id)
        if row.state in (CaptureState.ACCEPTED, CaptureState.SENDING):
            sent = replace(row, state=CaptureState.SENDING, parts_sent=event.parts_sent, parts=event.parts)
            self._put(sent)

    def _stored(self, event: happened.CaptureStored, _now_s: float) -> None:
        self.counts["stored"] += 1
        row = self.row(event.capture_id)
        # The worker may be quicker than the receipt: an answered capture stays answered.
        if row.state is not CaptureState.ANSWERED:
            self._put(replace(row, state=CaptureState.STORED, rejection=""))

    def _rejected(self, event: happened.CaptureRejected, _now_s: float) -> None:
        self.counts["rejected"] += 1
        rejection = shown(f"{event.reason}: {event.detail}")
        self._put(replace(self.row(event.capture_id), state=CaptureState.REJECTED, rejection=rejection))

    def _answered(self, event: happened.CaptureAnswered, _now_s: float) -> None:
        row = self.row(event.capture_id)
        self.counts["answered"] += row.final is None
        final = final_answer(event.result)
        features = features_of(event.result)
        self.finding = f"{row.label}: {features}" if features else ""
        row = replace(row, state=CaptureState.ANSWERED, final=final, rejection="")
        self._put(replace(row, answered_after_s=event.latency_s))

    def _link_changed(self, event: happened.LinkChanged, _now_s: float) -> None:
        self.connected, self.link = event.connected, shown(event.detail)

    def _camera_changed(self, event: happened.CameraChanged, _now_s: float) -> None:
        self.camera = event.health

    def _config_applied(self, event: happened.ConfigApplied, _now_s: float) -> None:
        self.config_version, self.config_refusal = event.version, ""

    def _config_refused(self, event: happened.ConfigRefused, _now_s: float) -> None:
        self.config_refusal = f"Config {event.version} refused, {self.config_version} stays: {event.detail}"

    def _outbox_changed(self, event: happened.OutboxChanged, _now_s: float) -> None:
        self.outbox_captures, self.outbox_bytes, self.outbox_full = event.captures, event.held_bytes, event.full

    def _put(self, row: CaptureRow) -> None:
        self._rows[row.capture_id] = row
        if len(self._rows) > MAX_ROWS:
            del self._rows[next(iter(self._rows))]


_HANDLERS: Final[Mapping[type, Callable[[TerminalView, Any, float], None]]] = MappingProxyType(
    {
        happened.CaptureAccepted: TerminalView._accepted,  # noqa: SLF001 the table belongs to the class
        happened.CaptureRefused: TerminalView._refused,  # noqa: SLF001
        happened.CaptureProgressed: TerminalView._progressed,  # noqa: SLF001
        happened.CaptureStored: TerminalView._stored,  # noqa: SLF001
        happened.CaptureRejected: TerminalView._rejected,  # noqa: SLF001
        happened.CaptureAnswered: TerminalView._answered,  # noqa: SLF001
        happened.LinkChanged: TerminalView._link_changed,  # noqa: SLF001
        happened.CameraChanged: TerminalView._camera_changed,  # noqa: SLF001
        happened.ConfigApplied: TerminalView._config_applied,  # noqa: SLF001
        happened.ConfigRefused: TerminalView._config_refused,  # noqa: SLF001
        happened.OutboxChanged: TerminalView._outbox_changed,  # noqa: SLF001
    }
)


def preliminary_answer(prescreen: Prescreen) -> Answer:
    return _answer(prescreen.probabilities, prescreen.triage)


def final_answer(result: AnalysisResult) -> Answer:
    if result.refusal is not None:
        return Answer(triage=result.triage, refusal=str(result.refusal.reason))
    return _answer(result.probabilities, result.triage)


def features_of(result: AnalysisResult) -> str:
    """Return what the vision stage says in one line, empty where it says nothing."""
    vision = result.findings.get("vision")
    return shown(str(vision.get("summary", ""))) if isinstance(vision, dict) else ""


def shown(text: str) -> str:
    """Return the text without control characters: a file's name or a peer's message must not drive the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def size_text(size_bytes: int) -> str:
    """Return bytes as a person reads them, in powers of ten: 84 kB, 1.2 MB."""
    kilobytes = size_bytes / 1e3
    return f"{kilobytes:.0f} kB" if kilobytes < 1e3 else f"{kilobytes / 1e3:.1f} MB"  # noqa: PLR2004 kilo and mega


def duration_text(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 100:  # noqa: PLR2004 below, tenths of a second tell something
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"  # noqa: PLR2004 ninety minutes


def _answer(probabilities: Mapping[LesionClass, float], triage: Triage) -> Answer:
    if not probabilities:
        return Answer(triage=triage)
    likeliest = max(probabilities, key=lambda lesion_class: probabilities[lesion_class])
    return Answer(triage=triage, lesion_class=likeliest, probability=probabilities[likeliest])
