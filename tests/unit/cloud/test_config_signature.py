from pathlib import Path

import pytest

from digiscope_cloud.fleet.shadow import Shadows
from digiscope_shared import object_names, signing
from digiscope_shared.errors import PermanentError
from digiscope_shared.pubsub_topics import PubsubTopic
from tests.support.fake_object_store import FakeObjectStore
from tests.support.fake_pubsub import FakeEventPublisher, FakePubsub

KEY = signing.new_signing_key()


@pytest.fixture
def keys(tmp_path: Path) -> signing.TrustedKeys:
    path = tmp_path / "signing.pub"
    path.write_text(KEY.public_line)
    return signing.load_trusted_keys(path)


def test_a_service_without_the_key_sends_again_what_an_operator_signed(keys: signing.TrustedKeys) -> None:
    store, pubsub = FakeObjectStore(), FakePubsub()
    publisher = FakeEventPublisher(pubsub)
    Shadows(store, publisher, signing_key=KEY).desire("clinic-07", {"quality.min_sharpness": 40.5})
    Shadows(store, publisher).send("clinic-07")
    (message,) = pubsub.on_topic(PubsubTopic.DEVICE_DIRECTIVES)
    signing.verify_config(keys, "clinic-07", message.body)
    with pytest.raises(PermanentError):
        signing.verify_config(keys, "clinic-08", message.body)


def test_each_version_is_signed_anew_and_without_the_key_none_is(keys: signing.TrustedKeys) -> None:
    store, publisher = FakeObjectStore(), FakeEventPublisher(FakePubsub())
    Shadows(store, publisher, signing_key=KEY).desire("clinic-07", {"prescreen": False})
    second = Shadows(store, publisher, signing_key=KEY).desire("clinic-07", {"jpeg_quality": 90})
    signing.verify_config(keys, "clinic-07", store.read(object_names.desired_config("clinic-07"))[0])
    assert second.signature
    assert not Shadows(store, publisher).desire("clinic-07", {"jpeg_quality": 91}).signature
