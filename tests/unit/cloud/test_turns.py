import threading

from digiscope_cloud.turns import TurnQueue


def taken(turns: TurnQueue[str], count: int) -> list[str | None]:
    return [turns.get() for _ in range(count)]


def test_keys_take_turns_and_each_keeps_its_order() -> None:
    turns: TurnQueue[str] = TurnQueue()
    for item in ("a1", "a2", "a3", "b1", "b2", "c1"):
        turns.put(item[0], item)
    assert taken(turns, 6) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_newcomer_waits_for_one_of_each_other_at_most() -> None:
    turns: TurnQueue[str] = TurnQueue()
    for number in range(400):
        turns.put("greedy", f"g{number}")
    turns.get()
    turns.put("quiet", "q")
    assert "q" in taken(turns, 2)


def test_what_waits_is_woken_by_the_next_item() -> None:
    turns: TurnQueue[str] = TurnQueue()
    got: list[str | None] = []
    waiting = threading.Thread(target=lambda: got.append(turns.get()))
    waiting.start()
    turns.put("a", "a1")
    waiting.join(5)
    assert got == ["a1"]


def test_closing_returns_what_is_left_and_wakes_who_waits() -> None:
    turns: TurnQueue[str] = TurnQueue()
    turns.put("a", "a1")
    turns.put("b", "b1")
    assert sorted(turns.close()) == ["a1", "b1"]
    assert turns.get() is None
    assert not turns.put("a", "late")
    assert turns.close() == []
