"""Valid JSON documents with fields changed, taken out and added; some damaged as bytes, too."""

import copy
import json
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from tests.fuzz.mutation import mutated
from tests.fuzz.target import Bytes

Document = dict[str, Any]
Place = tuple[str | int, ...]
_GONE: Final = object()
# Deeper than Python's own stack at the end.
_DEPTHS: Final = st.integers(1, 60) | st.integers(900, 1100)

TEXTS: Final = (
    st.text(max_size=40)
    | st.sampled_from(["\ud800", "\0", "\ufeff", "a" * 70, "nan", "1e400", "-1", "9" * 30, "[{", "x" * 3000])
    | st.from_regex(r"-?\d{1,40}(\.\d+)?(e\d+)?", fullmatch=True)
)
_NUMBERS: Final = (
    st.integers() | st.floats() | st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 1e308, 5e-324])
)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | _NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)


def documents(valid: Sequence[Document]) -> st.SearchStrategy[Document]:
    """Draw a valid document with up to three places changed, at any depth."""
    change = st.tuples(st.integers(0, 200), VALUES | VALUES | st.just(_GONE))
    return st.builds(_changed, st.sampled_from(valid), st.lists(change, max_size=3))


def bodies(valid: Sequence[Document]) -> Bytes:
    """Draw JSON texts: changed documents, damaged texts, too deep ones, and no JSON at all."""
    texts = documents(valid).map(as_json)
    deep = st.builds(_deepened, st.sampled_from(valid), st.integers(0, 200), _DEPTHS, st.booleans())
    return texts | texts | deep | mutated([as_json(each) for each in valid])


def as_json(document: Any) -> bytes:
    """Write what other writers might: NaN, lone surrogates and numbers of any length among it."""
    return json.dumps(document).encode()


def _changed(document: Document, changes: list[tuple[int, Any]]) -> Document:
    changed = copy.deepcopy(document)
    for pick, value in changes:
        _put(changed, pick, value)
    return changed


def _put(document: Document, pick: int, value: Any) -> None:
    places: list[Any] = [*_places(document), ("later",)]
    *way, last = places[pick % len(places)]
    holder: Any = document
    for key in way:
        holder = holder[key]
    if value is not _GONE:
        holder[last] = value
    elif isinstance(holder, list) or last in holder:
        del holder[last]


def _places(value: Any, prefix: Place = ()) -> list[Place]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, below in items for place in ((*prefix, key), *_places(below, (*prefix, key)))]


def _deepened(document: Document, pick: int, depth: int, as_lists: bool) -> bytes:  # noqa: FBT001 - hypothesis draws it
    opening, closing = ("[", "]") if as_lists else ('{"a":', "}")
    changed = _changed(document, [(pick, "DEEP")])
    return as_json(changed).replace(b'"DEEP"', f"{opening * depth}1{closing * depth}".encode())
