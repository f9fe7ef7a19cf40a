import re
import uuid

from digiscope_shared.capture_ids import is_capture_id, new_capture_id
from digiscope_shared.traceparent import child_of, new_traceparent, trace_id


def test_capture_ids_are_uuids_of_version_7_that_sort_by_time() -> None:
    ids = [new_capture_id(ms) for ms in (1, 2, 1_700_000_000_000, 2**48 - 1)]
    assert ids == sorted(ids)
    for capture_id in ids:
        assert is_capture_id(capture_id)
        assert (uuid.UUID(capture_id).version, uuid.UUID(capture_id).variant) == (7, uuid.RFC_4122)


def test_the_time_stands_in_the_first_48_bits() -> None:
    assert new_capture_id(0x0123456789AB, b"\xff" * 10) == "01234567-89ab-7fff-bfff-ffffffffffff"


def test_nothing_else_passes_as_a_capture_id() -> None:
    good = new_capture_id(5)
    assert not any(map(is_capture_id, ["", good.upper(), good + "\n", f"../{good}", str(uuid.uuid4())]))


def test_a_child_keeps_the_trace_and_changes_the_span() -> None:
    parent = new_traceparent()
    child = child_of(parent)
    assert trace_id(child) == trace_id(parent) != ""
    assert child != parent


def test_a_malformed_parent_starts_a_new_trace() -> None:
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", child_of("nonsense"))
    assert trace_id("nonsense") == ""
