import random

from digiscope_shared.backoff import Backoff


def test_delays_stay_between_floor_and_cap() -> None:
    backoff = Backoff(base_s=1, cap_s=8, floor_s=0.1, rng=random.Random(1))
    delays = [backoff.next_delay_s() for _ in range(2_000)]
    assert min(delays) >= 0.1
    assert 7 < max(delays) <= 8


def test_the_first_delay_is_short_and_a_reset_makes_it_short_again() -> None:
    backoff = Backoff(base_s=1, cap_s=60, rng=random.Random(2))
    for _ in range(10):
        backoff.next_delay_s()
    backoff.reset()
    assert backoff.next_delay_s() <= 1


def test_two_hundred_devices_spread_out() -> None:
    delays = sorted(Backoff(base_s=10, rng=random.Random(seed)).next_delay_s() for seed in range(200))
    busiest_second = max(sum(start <= delay < start + 1 for delay in delays) for start in range(10))
    assert busiest_second < 5 * len(delays) / 10
