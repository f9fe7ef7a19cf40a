"""None lost, none twice: the whole chain over a real broker while links, processes and the broker come and go."""

import hashlib
import signal

import cv2
import numpy as np

from digiscope_cloud.drill.tcp_proxy import TcpProxy
from digiscope_edge.adapters.image_folder import ImageFolder
from digiscope_shared import object_names
from digiscope_shared.imaging.phantoms import draw_phantom
from tests.support.waiting import wait_until
from tests.support.whole_system import WholeSystem, draw_images


def test_a_12_megapixel_image_arrives_whole_though_the_link_is_cut_twice(system: WholeSystem, link: TcpProxy) -> None:
    noise = np.random.default_rng(1).integers(0, 62, (3000, 4000, 3), dtype=np.uint8)
    big_bgr = cv2.add(cv2.resize(draw_phantom(1), (4000, 3000)), noise)
    path = system.folder / "big.jpg"
    cv2.imwrite(str(path), big_bgr, [cv2.IMWRITE_JPEG_QUALITY, 97])
    assert path.stat().st_size > 9_000_000
    system.be_impatient()
    system.start_bridge()
    system.start_worker()
    link.cut_after(3_000_000)
    agent = system.start_agent(str(path), "--exit-when-answered", "--deadline", "120")
    wait_until(lambda: link.forwarded_bytes > 3_000_000, timeout_s=40, what="the first cut")
    link.cut_after(3_000_000)
    assert agent.wait(130) == 0, system.log()
    assert link.connections >= 3
    (capture_id,) = system.captured()
    content, _ = system.store.read(object_names.image(capture_id))
    assert hashlib.sha256(content).hexdigest() == announced_sha256(system, capture_id)
    assert system.answered() == {capture_id: 1}
    # Twice cut, it went up about once: what the broker had taken was not sent again.
    assert link.forwarded_bytes < 1.5 * len(content)


def test_50_captures_wait_out_a_broker_that_is_away_and_a_restart(system: WholeSystem, link: TcpProxy) -> None:
    link.refuse()
    system.be_impatient()
    images = [str(path) for path in draw_images(system.folder / "images", 50)]
    first = system.start_agent(*images)
    wait_until(lambda: len(system.captured()) == 50, timeout_s=40, what="50 captures are in the outbox")
    # The preliminary result needs no network.
    assert all(event["prescreen"]["probabilities"] for event in system.events("CaptureAccepted"))
    assert system.answered() == {}
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 0, system.log()
    assert system.status()["outbox"]["captures"] == 50
    system.start_bridge()
    system.start_worker()
    agent = system.start_agent()
    link.accept()
    wait_until(lambda: len(system.answered()) == 50, timeout_s=90, what="50 answers")
    wait_until(lambda: system.status()["outbox"]["captures"] == 0, what="the outbox is empty")
    assert set(system.answered().values()) == {1}
    assert system.result_objects() == dict.fromkeys(system.captured(), 1)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(20) == 0, system.log()


def test_killing_agent_bridge_and_worker_loses_nothing_and_answers_nothing_twice(system: WholeSystem) -> None:
    system.be_impatient()
    images = [str(path) for path in draw_images(system.folder / "images", 20)]
    agent, bridge, worker = system.start_agent(*images), system.start_bridge(), system.start_worker()
    wait_until(lambda: len(system.captured()) == 20, timeout_s=60, what="all are captured")
    wait_until(lambda: len(system.answered()) >= 2, timeout_s=60, what="the first answers")
    for process, start in (
        (agent, system.start_agent),
        (bridge, system.start_bridge),
        (worker, system.start_worker),
    ):
        process.kill()
        process.wait()
        start()
    captured = system.captured()
    wait_until(lambda: system.result_objects().keys() == captured, timeout_s=90, what="a result object for each")
    wait_until(lambda: not open_captures(system), timeout_s=90, what="every capture is answered on the device")
    assert system.result_objects() == dict.fromkeys(captured, 1)
    assert max(system.answered().values()) == 1
    assert system.status()["outbox"]["captures"] == 0
    assert ImageFolder(system.state_dir / "images", system.state_dir / "orphans").names() == set()


def announced_sha256(system: WholeSystem, capture_id: str) -> str:
    outbox = system.open_outbox()
    capture = outbox.find(capture_id)
    outbox.close()
    assert capture is not None
    return capture.attributes.image_sha256


def open_captures(system: WholeSystem) -> int:
    outbox = system.open_outbox()
    try:
        return len(outbox.open_captures())
    finally:
        outbox.close()
