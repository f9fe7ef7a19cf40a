import pytest

from digiscope_shared import codec
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.lesions import LesionClass
from digiscope_shared.messages import CaptureAttributes, Prescreen, Receipt, ReceiptKind, Triage

ATTRIBUTES = CaptureAttributes(
    capture_id=new_capture_id(1_700_000_000_000),
    part=0,
    parts=2,
    image_sha256="ab" * 32,
    image_bytes=300_000,
    content_type="image/jpeg",
    captured_at="2026-01-01T00:00:00Z",
    boot_id="b1",
    sequence=7,
    traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    age=61,
    quality={"sharpness": 41.5},
    prescreen=Prescreen(model_digest="d", probabilities={LesionClass.NV: 1.0}, triage=Triage.ROUTINE),
)


def test_attributes_come_back_as_they_went() -> None:
    encoded = codec.encode_attributes(ATTRIBUTES)
    assert all(isinstance(value, str) for value in encoded.values())
    assert codec.decode_attributes(CaptureAttributes, encoded) == ATTRIBUTES


def test_what_is_empty_does_not_travel() -> None:
    assert not codec.encode_attributes(ATTRIBUTES).keys() & {"subject", "lesion", "site", "sex"}


def test_a_body_comes_back_as_it_went() -> None:
    receipt = Receipt(capture_id=ATTRIBUTES.capture_id, kind=ReceiptKind.MISSING, missing_parts=(0, 3))
    assert codec.decode_json(Receipt, codec.encode_json(receipt)) == receipt


def test_unknown_fields_and_attributes_are_ignored() -> None:
    encoded = codec.encode_attributes(ATTRIBUTES) | {"later": "x"}
    assert codec.decode_attributes(CaptureAttributes, encoded) == ATTRIBUTES
    body = b'{"schema":"digiscope.receipt/1","capture_id":"x","kind":"stored","later":1}'
    assert codec.decode_json(Receipt, body).kind is ReceiptKind.STORED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": "digiscope.capture/2"}, Reason.UNKNOWN_SCHEMA),
        ({"schema": None}, Reason.UNKNOWN_SCHEMA),
        ({"capture_id": None}, Reason.BAD_ATTRIBUTES),
        ({"capture_id": "../../etc"}, Reason.BAD_ATTRIBUTES),
        ({"part": "-1"}, Reason.BAD_ATTRIBUTES),
        ({"parts": "1e9"}, Reason.BAD_ATTRIBUTES),
        ({"image_sha256": "AB" * 32}, Reason.BAD_ATTRIBUTES),
        ({"subject": "Jane Doe"}, Reason.BAD_ATTRIBUTES),
        ({"frame_width_mm": "nan"}, Reason.BAD_ATTRIBUTES),
        ({"frame_width_mm": "0"}, Reason.BAD_ATTRIBUTES),
        ({"quality": "{"}, Reason.BAD_ATTRIBUTES),
        ({"quality": "[" * 100_000}, Reason.BAD_ATTRIBUTES),
    ],
)
def test_bad_attributes_are_permanent_faults(change: dict[str, str | None], reason: Reason) -> None:
    changed = codec.encode_attributes(ATTRIBUTES) | change
    attributes = {name: value for name, value in changed.items() if value is not None}
    with pytest.raises(PermanentError) as caught:
        codec.decode_attributes(CaptureAttributes, attributes)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.BAD_BODY),
        (b"\xff", Reason.BAD_BODY),
        (b"[]", Reason.BAD_BODY),
        (b"[" * 100_000, Reason.BAD_BODY),
        (b"{}", Reason.UNKNOWN_SCHEMA),
        (b'{"schema":"digiscope.receipt/2"}', Reason.UNKNOWN_SCHEMA),
        (b'{"schema":"digiscope.receipt/1","capture_id":1,"kind":"stored"}', Reason.BAD_BODY),
    ],
)
def test_bad_bodies_are_permanent_faults(body: bytes, reason: Reason) -> None:
    with pytest.raises(PermanentError) as caught:
        codec.decode_json(Receipt, body)
    assert caught.value.reason is reason
