import math

import pytest

from digiscope_cloud.drill.measures import peak_to_mean


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
