"""What is measured rather than struck: how a fleet comes back at once, and what one greedy device costs the others."""

import math
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from digiscope_cloud.drill.reconcile import Check
from digiscope_cloud.drill.site import Device, Site, wait_until_settled
from digiscope_cloud.drill.tcp_proxy import TcpProxy
from digiscope_cloud.local.server_process import becomes_true
from digiscope_shared.mqtt.session import MqttSession

STORM_DEVICES: Final = 200
STORM_AWAY_S: Final = 10.0
STORM_DEADLINE_S: Final = 180.0
PEAK_TO_MEAN: Final = 5.0
FLOOD_S: Final = 36.0
SHARE: Final = 4
FLOOD_FACTOR: Final = 100
FLOOD_DEADLINE_S: Final = 600.0
SLOWER_AT_MOST: Final = 2.0


def storm(site: Site) -> Check:
    """Cut two hundred devices off at once, let them come back, and count their attempts in each second."""
    with TcpProxy(site.system.mosquitto.ports.plain, rng=site.rng) as link:
        settings = site.system.mosquitto.settings("storm", port=link.port)
        sessions = [
            MqttSession(
                settings,
                client_id=f"storm-{number}",
                topic_filters=(),
                on_message=lambda message: message.ack(),
                on_link=lambda _: None,
            )
            for number in range(STORM_DEVICES)
        ]
        for session in sessions:
            session.start()
        try:
            becomes_true(lambda: all(session.connected for session in sessions), STORM_DEADLINE_S)
            before = link.connections
            link.refuse()
            time.sleep(STORM_AWAY_S)
            link.accept()
            back = becomes_true(lambda: all(session.connected for session in sessions), STORM_DEADLINE_S)
            ratio = peak_to_mean(link.connected_at_s[before:])
        finally:
            for session in sessions:
                session.stop(0.5)
    measured = f"peak {ratio:.1f} times the mean, {'all' if back else 'NOT all'} of {STORM_DEVICES} back"
    return Check(
        name="storm", measured=measured, bar=f"≤ {PEAK_TO_MEAN:g} times, all", passed=back and ratio <= PEAK_TO_MEAN
    )


def peak_to_mean(at_s: Sequence[float]) -> float:
    """Return the busiest second's attempts over the mean second's."""
    if not at_s:
        return math.nan
    first_s = min(at_s)
    a_second = Counter(int(each - first_s) for each in at_s)
    return max(a_second.values()) * (max(a_second) + 1) / len(at_s)


def flood(site: Site) -> Check:
    """Compare what the others wait while each sends its share, and while one device sends a hundred times that."""
    greedy, *others = site.devices
    shares = {device.device_id: SHARE for device in others}
    quiet_s = _latency_s(site, "flood-quiet", shares, others)
    # A device has a processor of its own; here it shares the cloud's, and what it draws from that isn't the flood.
    greedy.agent.yield_processor()
    flooded_s = _latency_s(site, "flood", shares | {greedy.device_id: FLOOD_FACTOR * SHARE}, others)
    wait_until_settled(site, deadline_s=FLOOD_DEADLINE_S)
    ratio = flooded_s / quiet_s
    measured = f"median {quiet_s:.2f} s, beside the flood {flooded_s:.2f} s: {ratio:.1f} times"
    return Check(name="flood", measured=measured, bar=f"≤ {SLOWER_AT_MOST:g} times", passed=ratio <= SLOWER_AT_MOST)


def _latency_s(site: Site, name: str, images: Mapping[str, int], watched: Sequence[Device]) -> float:
    """Send so many images of each device, evenly over the time, and return the median latency of those watched."""
    by_id = {device.device_id: device for device in site.devices}
    began_s = time.monotonic()
    for at_s, device_id in sending_times(images, FLOOD_S):
        time.sleep(max(0.0, began_s + at_s - time.monotonic()))
        site.send(by_id[device_id], name)
    becomes_true(lambda: not any(site.unanswered(device) for device in watched), FLOOD_DEADLINE_S)
    captures = [capture for device in watched for capture in site.account(device) if capture.fault == name]
    return statistics.median(each.answered_s - each.accepted_s for each in captures if each.answered_s is not None)


def sending_times(images: Mapping[str, int], over_s: float) -> list[tuple[float, str]]:
    """Return when who sends: each evenly, and no two of the same pace at the same moment."""
    phases = {device_id: (place + 0.5) / len(images) for place, device_id in enumerate(images)}
    return sorted(
        ((number + phases[device_id]) * over_s / count, device_id)
        for device_id, count in images.items()
        for number in range(count)
    )


MEASURES: Final = {"storm": storm, "flood": flood}
