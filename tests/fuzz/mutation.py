"""Valid bytes, damaged: cut, flipped, filled, repeated and spliced."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from tests.fuzz.target import Bytes

Edit = Callable[[bytes], bytes]
_PLACES = st.integers(0, 2**16)


def mutated(seeds: Sequence[bytes], *, edits: st.SearchStrategy[Edit] | None = None, max_edits: int = 3) -> Bytes:
    """Draw a seed and damage it up to `max_edits` times; `edits` know the format, and come beside the blind ones."""
    blind = _blind(seeds)
    some = st.lists(blind if edits is None else blind | edits, max_size=max_edits)
    damaged = st.builds(_apply, st.sampled_from(seeds), some)
    return st.integers(0, 9).flatmap(lambda draw: damaged if draw else st.binary(max_size=200))


def _apply(content: bytes, edits: list[Edit]) -> bytes:
    for edit in edits:
        content = edit(content)
    return content


def _blind(seeds: Sequence[bytes]) -> st.SearchStrategy[Edit]:
    short = st.binary(max_size=8) | st.sampled_from([b"\0" * 64, b"\xff" * 64, b"[" * 2000, b"9" * 5000])
    return st.one_of(
        st.builds(_cut, _PLACES),
        st.builds(_flip, _PLACES, st.integers(1, 255)),
        st.builds(_flip, st.integers(0, 40), st.integers(1, 255)),
        st.builds(_insert, _PLACES, short),
        st.builds(_remove, _PLACES, st.integers(1, 64)),
        st.builds(_overwrite, _PLACES, short),
        st.builds(_repeat, _PLACES, st.integers(1, 64), st.integers(2, 40)),
        st.builds(_splice, _PLACES, st.sampled_from(seeds), _PLACES),
    )


def _cut(place: int) -> Edit:
    return lambda content: content[: _within(place, content)]


def _flip(place: int, change: int) -> Edit:
    def edit(content: bytes) -> bytes:
        at = _within(place, content)
        return content[:at] + bytes([content[at] ^ change]) + content[at + 1 :] if content else content

    return edit


def _insert(place: int, piece: bytes) -> Edit:
    return lambda content: content[: _within(place, content)] + piece + content[_within(place, content) :]


def _remove(place: int, count: int) -> Edit:
    return lambda content: content[: _within(place, content)] + content[_within(place, content) + count :]


def _overwrite(place: int, piece: bytes) -> Edit:
    return lambda content: content[: _within(place, content)] + piece + content[_within(place, content) + len(piece) :]


def _repeat(place: int, count: int, times: int) -> Edit:
    def edit(content: bytes) -> bytes:
        at = _within(place, content)
        return content[:at] + content[at : at + count] * times + content[at + count :]

    return edit


def _splice(place: int, other: bytes, other_place: int) -> Edit:
    return lambda content: content[: _within(place, content)] + other[_within(other_place, other) :]


def _within(place: int, content: bytes) -> int:
    return place % len(content) if content else 0
