"""The chain, pure: lines are sealed one after the other, and any line that was touched since is found.

Each line holds the digest of the line before and its own. Cutting lines off the end leaves a chain that is whole, so
its head (sequence and digest of the last line) is worth keeping elsewhere; `verify` compares.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from digiscope_cloud.audit_log.entries import AuditEntry

FIRST_PREVIOUS: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a chain ends."""

    sequence: int = 0
    digest: str = FIRST_PREVIOUS

    def __str__(self) -> str:
        return f"{self.sequence}:{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedLine:
    """One line as it lies in the file; `at` is UTC, ISO 8601."""

    sequence: int
    at: str
    act: str
    subject: str
    actor: str
    detail: dict[str, str]
    previous: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong at `line`, counted from 1."""

    line: int
    what: str


def seal(head: Head, entry: AuditEntry, at: str) -> tuple[bytes, Head]:
    """Return the next line, newline included, and the head that it makes."""
    fields = {
        "sequence": head.sequence + 1,
        "at": at,
        "act": str(entry.act),
        "subject": entry.subject,
        "actor": entry.actor,
        "detail": dict(entry.detail),
        "previous": head.digest,
    }
    digest = _digest(fields)
    return _canonical({**fields, "digest": digest}) + b"\n", Head(sequence=head.sequence + 1, digest=digest)


def read_line(raw: bytes) -> SealedLine:
    """Decode one line; ValueError where it is none, or was changed since it was sealed."""
    try:
        line = msgspec.json.decode(raw, type=SealedLine)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"is no line of an audit log: {error}") from error
    sealed = msgspec.to_builtins(line)
    # The bytes themselves, not only the fields: nothing may be slipped in beside them.
    if _digest({name: sealed[name] for name in sealed if name != "digest"}) != line.digest or raw != _canonical(sealed):
        raise ValueError("was changed")
    return line


def verify(raw_lines: Iterable[bytes], *, expected_head: Head | None = None) -> tuple[list[Finding], Head]:
    """Return everything that is wrong, in line order, and the head of what is there."""
    findings, lines = _read_all(raw_lines)
    findings += _out_of_order(lines)
    findings += _missing(lines, unreadable=len(findings) > 0)
    findings += _unlinked(lines)
    last = max((line for _, line in lines), key=lambda line: line.sequence, default=None)
    head = Head(sequence=last.sequence, digest=last.digest) if last else Head()
    if expected_head is not None:
        findings += _against(expected_head, lines, head)
    return sorted(findings, key=lambda finding: finding.line), head


_Numbered = tuple[int, SealedLine]


def _read_all(raw_lines: Iterable[bytes]) -> tuple[list[Finding], list[_Numbered]]:
    findings: list[Finding] = []
    lines: list[_Numbered] = []
    for number, raw in enumerate(raw_lines, start=1):
        try:
            lines.append((number, read_line(raw)))
        except ValueError as error:
            findings.append(Finding(line=number, what=str(error)))
    return findings, lines


def _out_of_order(lines: list[_Numbered]) -> Iterator[Finding]:
    highest = 0
    seen: set[int] = set()
    for number, line in lines:
        if line.sequence in seen:
            yield Finding(line=number, what=f"repeats sequence {line.sequence}")
        elif line.sequence < highest:
            yield Finding(line=number, what=f"is out of order: sequence {line.sequence} after {highest}")
        seen.add(line.sequence)
        highest = max(highest, line.sequence)


def _missing(lines: list[_Numbered], *, unreadable: bool) -> Iterator[Finding]:
    """Name gaps in the sequence; a line that can't be read leaves one too, and is named already."""
    by_sequence = sorted((line.sequence, number) for number, line in lines)
    before = 0
    for sequence, number in by_sequence:
        if sequence > before + 1:
            gap = f"{before + 1}" if sequence == before + 2 else f"{before + 1} to {sequence - 1}"
            why = " or can't be read" if unreadable else ""
            yield Finding(line=number, what=f"sequence {gap} is missing{why} before {sequence}")
        before = max(before, sequence)


def _unlinked(lines: list[_Numbered]) -> Iterator[Finding]:
    digest_of = {line.sequence: line.digest for _, line in lines} | {0: FIRST_PREVIOUS}
    for number, line in lines:
        if digest_of.get(line.sequence - 1, line.previous) != line.previous:
            yield Finding(
                line=number, what=f"does not follow sequence {line.sequence - 1}: one of the two was replaced"
            )


def _against(expected: Head, lines: list[_Numbered], head: Head) -> Iterator[Finding]:
    digests = {line.digest for _, line in lines if line.sequence == expected.sequence}
    last_line = lines[-1][0] if lines else 0
    if head.sequence < expected.sequence:
        yield Finding(line=last_line, what=f"is the last, but sequence {expected.sequence} was here once")
    elif expected.sequence and expected.digest not in digests:
        yield Finding(line=last_line, what=f"sequence {expected.sequence} is not the one whose digest was kept")


def parse_head(text: str) -> Head:
    """Read `sequence:digest`; ValueError."""
    sequence, _, digest = text.partition(":")
    if len(digest) != len(FIRST_PREVIOUS):
        raise ValueError("a head is written sequence:digest, the digest with 64 hexadecimal digits")
    return Head(sequence=int(sequence), digest=digest)


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(fields)).hexdigest()


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
