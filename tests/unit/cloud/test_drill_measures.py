import math

import pytest

from digiscope_cloud.drill.measures import peak_to_mean, sending_times


@pytest.mark.parametrize(
    ("at_s", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4], 1.0),
        ([0.0, 1.0, 2.0, 3.0], 1.0),
        # Eight in the first second, two spread over the nine that follow.
        ([0.0] * 8 + [5.0, 9.0], 8.0),
    ],
)
def test_the_busiest_second_over_the_mean_second(at_s: list[float], expected: float) -> None:
    assert peak_to_mean(at_s) == pytest.approx(expected)


def test_of_nothing_there_is_no_ratio() -> None:
    assert math.isnan(peak_to_mean([]))


def test_each_sends_evenly_and_its_whole_share() -> None:
    times = sending_times({"greedy": 8, "b": 2, "c": 2}, 8.0)
    assert [device_id for _, device_id in times].count("greedy") == 8
    assert [round(at_s, 2) for at_s, device_id in times if device_id == "b"] == [2.0, 6.0]
    assert all(0 <= at_s < 8 for at_s, _ in times)
