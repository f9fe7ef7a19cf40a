"""From bytes to a capture or a refusal with advice."""

import cv2
import numpy as np
import pytest

from digiscope_edge.captures import CaptureDetails, HeldCapture
from digiscope_edge.config_sync import DeviceConfig
from digiscope_edge.events import CaptureRefused
from digiscope_edge.intake import DeviceClocks, Intake, Outcome
from digiscope_edge.ports import FrameBgr, SourceImage
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.lesions import LesionClass
from digiscope_shared.messages import Prescreen, Triage
from tests.support.fake_outbox import FakeOutbox

CLOCKS = DeviceClocks(unix_ms=lambda: 1_700_000_000_000, now_text=lambda: "now", monotonic_s=lambda: 5.0, boot_id="b")
CANARY = b"Erika Mustermann"


class FakeClassifier:
    model_digest = "a" * 64

    def prescreen(self, image_bgr: FrameBgr) -> Prescreen:
        return Prescreen(model_digest=self.model_digest, probabilities={LesionClass.NV: 1.0}, triage=Triage.ROUTINE)


def intake_on(outbox: FakeOutbox, config: DeviceConfig | None = None) -> Intake:
    return Intake(outbox=outbox, classifier=FakeClassifier(), config=lambda: config or DeviceConfig(), clocks=CLOCKS)


def encoded(image_bgr: FrameBgr, suffix: str = ".jpg") -> bytes:
    return bytes(cv2.imencode(suffix, image_bgr)[1])


def take(content: bytes, outbox: FakeOutbox | None = None) -> Outcome:
    return intake_on(outbox or FakeOutbox()).take(SourceImage(source="test", content=content))


def with_exif(jpeg: bytes) -> bytes:
    payload = b"Exif\0\0" + CANARY
    return jpeg[:2] + b"\xff\xe1" + (len(payload) + 2).to_bytes(2) + payload + jpeg[2:]


def test_a_good_image_is_accepted_with_quality_prescreen_and_details() -> None:
    outbox = FakeOutbox()
    image = SourceImage(source="test", content=encoded(draw_phantom(1)))
    held = intake_on(outbox).take(image, CaptureDetails(subject="S-1", age=70))
    assert isinstance(held, HeldCapture)
    assert held.attributes.prescreen is not None
    assert held.attributes.quality is not None
    assert held.attributes.quality["side_px"] == 450
    assert (held.attributes.subject, held.attributes.age, held.attributes.content_type) == ("S-1", 70, "image/jpeg")


@pytest.mark.parametrize(("said", "sent"), [(None, 12.5), (8.0, 8.0)])
def test_what_the_optics_show_goes_with_every_capture(said: float | None, sent: float) -> None:
    intake = Intake(outbox=FakeOutbox(), classifier=None, config=DeviceConfig, clocks=CLOCKS, frame_width_mm=12.5)
    image = SourceImage(source="test", content=encoded(draw_phantom(1)))
    held = intake.take(image, CaptureDetails(frame_width_mm=said))
    assert isinstance(held, HeldCapture)
    assert held.attributes.frame_width_mm == sent


def test_metadata_is_gone_before_anything_is_stored() -> None:
    outbox = FakeOutbox()
    held = take(with_exif(encoded(draw_phantom(1))), outbox)
    assert isinstance(held, HeldCapture)
    assert CANARY not in outbox.images[held.capture_id]


def test_other_formats_become_jpeg() -> None:
    outbox = FakeOutbox()
    held = take(encoded(draw_phantom(1), ".bmp"), outbox)
    assert isinstance(held, HeldCapture)
    assert held.attributes.content_type == "image/jpeg"
    assert outbox.images[held.capture_id].startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "unreadable-image"),
        (b"no image", "unreadable-image"),
        (encoded(draw_phantom(1))[:-5000], "unreadable-image"),
        (encoded(np.zeros((1, 1, 3), np.uint8)), "resolution"),
        (encoded(np.zeros((300, 300, 3), np.uint8)), "dark"),
        (encoded(cv2.GaussianBlur(draw_phantom(1), (61, 61), 20)), "blur"),
        (encoded(np.zeros((5000, 10_001, 3), np.uint8)), "too-large"),
    ],
    ids=["empty", "text", "truncated", "one-pixel", "dark", "blurred", "50-megapixels"],
)
def test_a_bad_image_is_refused_with_advice_and_nothing_held(content: bytes, reason: str) -> None:
    outbox = FakeOutbox()
    refused = take(content, outbox)
    assert isinstance(refused, CaptureRefused)
    assert refused.reason == reason
    assert refused.advice
    assert outbox.load().captures == 0


def test_a_full_outbox_refuses_visibly() -> None:
    refused = take(encoded(draw_phantom(1)), FakeOutbox(limit_bytes=10))
    assert isinstance(refused, CaptureRefused)
    assert refused.reason == "outbox-full"


def test_prescreen_can_be_switched_off() -> None:
    outbox = FakeOutbox()
    held = intake_on(outbox, DeviceConfig(prescreen=False)).take(
        SourceImage(source="test", content=encoded(draw_phantom(1)))
    )
    assert isinstance(held, HeldCapture)
    assert held.attributes.prescreen is None


def test_an_image_taken_before_is_known_again() -> None:
    outbox = FakeOutbox()
    image = SourceImage(source="test", content=with_exif(encoded(draw_phantom(1))))
    intake = intake_on(outbox)
    assert not intake.was_taken(image)
    intake.take(image)
    assert intake.was_taken(image)
