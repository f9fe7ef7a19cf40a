import threading

from digiscope_cloud.turns import TurnQueue


def taken(turns: TurnQueue[str], count: int) -> list[str | None]:
    got = [turns.get() for _ in range(count)]
    return [each and each[1] for each in got]


def test_keys_take_turns_and_each_keeps_its_order() -> None:
    turns: TurnQueue[str] = TurnQueue(at_once=9)
    for item in ("a1", "a2", "a3", "b1", "b2", "c1"):
        turns.put(item[0], item)
    assert taken(turns, 6) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_newcomer_waits_for_one_of_each_other_at_most() -> None:
    turns: TurnQueue[str] = TurnQueue(at_once=9)
    for number in range(400):
        turns.put("greedy", f"g{number}")
    turns.get()
    turns.put("quiet", "q")
    assert "q" in taken(turns, 2)


def test_what_waits_is_woken_by_the_next_item() -> None:
    turns: TurnQueue[str] = TurnQueue(at_once=9)
    got: list[tuple[str, str] | None] = []
    waiting = threading.Thread(target=lambda: got.append(turns.get()))
    waiting.start()
    turns.put("a", "a1")
    waiting.join(5)
    assert got == [("a", "a1")]


def test_a_key_has_few_out_at_once_and_the_others_find_a_place_free() -> None:
    turns: TurnQueue[str] = TurnQueue(at_once=2)
    for item in ("a1", "a2", "a3", "b1"):
        turns.put(item[0], item)
    assert taken(turns, 3) == ["a1", "b1", "a2"]
    got: list[tuple[str, str] | None] = []
    waiting = threading.Thread(target=lambda: got.append(turns.get()))
    waiting.start()
    turns.done("b")
    assert not got
    turns.done("a")
    waiting.join(5)
    assert got == [("a", "a3")]


def test_closing_returns_what_is_left_and_wakes_who_waits() -> None:
    turns: TurnQueue[str] = TurnQueue(at_once=9)
    turns.put("a", "a1")
    turns.put("b", "b1")
    assert sorted(turns.close()) == ["a1", "b1"]
    assert turns.get() is None
    assert not turns.put("a", "late")
    assert turns.close() == []
