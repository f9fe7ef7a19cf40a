from hypothesis import given
from hypothesis import strategies as st

from digiscope_cloud.audit_log import chain
from digiscope_cloud.audit_log.chain import Finding, Head
from digiscope_cloud.audit_log.entries import Act, AuditEntry

AT = "2026-05-04T10:00:00.000+00:00"


def sealed(count: int) -> list[bytes]:
    head, lines = Head(), []
    for number in range(1, count + 1):
        entry = AuditEntry(
            act=Act.REVOKED, subject=f"clinic-{number:02}", actor="ann", detail={"serial": f"{number:x}"}
        )
        line, head = chain.seal(head, entry, AT)
        lines.append(line.removesuffix(b"\n"))
    return lines


def findings(lines: list[bytes], head: Head | None = None) -> list[tuple[int, str]]:
    found, _ = chain.verify(lines, expected_head=head)
    return [(finding.line, finding.what) for finding in found]


def test_an_untouched_log_is_whole() -> None:
    found, head = chain.verify(sealed(5))
    assert not found
    assert head.sequence == 5
    assert chain.parse_head(str(head)) == head


def test_an_empty_log_is_whole() -> None:
    assert chain.verify([]) == ([], Head())


def test_a_changed_line_is_named_and_only_that() -> None:
    lines = sealed(5)
    lines[2] = lines[2].replace(b"clinic-03", b"clinic-99")
    assert findings(lines) == [(3, "was changed"), (4, "sequence 3 is missing or can't be read before 4")]


def test_what_is_slipped_in_beside_the_fields_is_found() -> None:
    lines = sealed(3)
    lines[1] = lines[1].replace(b'{"act"', b'{"note":"x","act"')
    assert findings(lines)[0] == (2, "was changed")


def test_a_missing_line_is_named() -> None:
    lines = sealed(6)
    del lines[2:4]
    assert findings(lines) == [(3, "sequence 3 to 4 is missing before 5")]
    assert findings(sealed(3)[1:]) == [(1, "sequence 1 is missing before 2")]


def test_reordered_lines_are_named() -> None:
    lines = sealed(5)
    lines[1], lines[2] = lines[2], lines[1]
    assert findings(lines) == [(3, "is out of order: sequence 2 after 3")]


def test_a_repeated_line_is_named() -> None:
    lines = sealed(3)
    assert findings([*lines, lines[1]]) == [(4, "repeats sequence 2")]


def test_a_line_sealed_anew_does_not_fit_the_next() -> None:
    lines = sealed(4)
    _, before = chain.verify(lines[:1])
    forged, _ = chain.seal(before, AuditEntry(act=Act.REVOKED, subject="somebody", actor="eve"), AT)
    lines[1] = forged.removesuffix(b"\n")
    assert findings(lines) == [(3, "does not follow sequence 2: one of the two was replaced")]


def test_lines_cut_off_the_end_are_found_with_a_head_that_was_kept() -> None:
    lines = sealed(5)
    _, head = chain.verify(lines)
    assert findings(lines[:3]) == []
    assert findings(lines[:3], head) == [(3, "is the last, but sequence 5 was here once")]
    assert findings([*lines, *[]], head) == []


def test_a_whole_chain_made_anew_is_found_with_a_head_that_was_kept() -> None:
    _, head = chain.verify(sealed(5))
    forged_head, forged = Head(), []
    for number in range(5):
        line, forged_head = chain.seal(forged_head, AuditEntry(act=Act.ACCEPTED, subject=str(number), actor="eve"), AT)
        forged.append(line.removesuffix(b"\n"))
    assert findings(forged) == []
    assert findings(forged, head) == [(5, "sequence 5 is not the one whose digest was kept")]


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_answered_with_findings(lines: list[bytes]) -> None:
    found, _ = chain.verify(lines)
    assert len(found) >= len(lines)
    assert all(isinstance(each, Finding) for each in found)


@given(st.data())
def test_any_one_changed_byte_is_found(data: st.DataObject) -> None:
    lines = sealed(3)
    number = data.draw(st.integers(0, 2))
    place = data.draw(st.integers(0, len(lines[number]) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != lines[number][place]))
    lines[number] = lines[number][:place] + bytes([other]) + lines[number][place + 1 :]
    assert number + 1 in {line for line, _ in findings(lines)}
