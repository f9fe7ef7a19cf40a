"""What every `ObjectStore` promises."""

from datetime import UTC, datetime

import pytest

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.ports import AlreadyExistsError, ConflictError, NotFoundError, ObjectStore
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.errors import TransientError
from tests.support.fake_object_store import FakeObjectStore

TEXT = "text/plain"


@pytest.fixture(params=["fake", "gcs"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "fake":
        return FakeObjectStore()
    return GcsObjectStore(request.getfixturevalue("cloud"))


def test_create_writes_what_read_returns(store: ObjectStore) -> None:
    created = store.create("captures/a/image.jpg", b"pixels", content_type="image/jpeg", metadata={"device_id": "d1"})
    content, read = store.read("captures/a/image.jpg")
    assert content == b"pixels"
    assert (read.generation, read.size, read.metadata) == (created.generation, 6, {})
    assert store.find("captures/a/image.jpg") == created
    assert created.created_at is not None
    assert created.created_at.tzinfo is not None
    assert created.metadata == {"device_id": "d1"}


def test_create_never_overwrites(store: ObjectStore) -> None:
    store.create("a", b"first", content_type=TEXT)
    with pytest.raises(AlreadyExistsError):
        store.create("a", b"second", content_type=TEXT)
    assert store.read("a")[0] == b"first"


def test_create_takes_nine_megabytes(store: ObjectStore) -> None:
    content = bytes(range(256)) * 36_000
    assert store.create("big", content, content_type=TEXT).size == len(content)
    assert store.read("big")[0] == content
    with pytest.raises(AlreadyExistsError):
        store.create("big", content, content_type=TEXT)


def test_create_takes_an_empty_object_and_a_custom_time(store: ObjectStore) -> None:
    created = store.create("empty", b"", content_type=TEXT, metadata={"k": "v"}, custom_time=datetime.now(UTC))
    assert (created.size, created.metadata) == (0, {"k": "v"})


def test_replace_needs_the_generation_that_is_there(store: ObjectStore) -> None:
    first = store.replace("a", b"1", content_type=TEXT, generation=0)
    second = store.replace("a", b"2", content_type=TEXT, generation=first.generation)
    assert second.generation > first.generation
    for stale in (0, first.generation):
        with pytest.raises(ConflictError):
            store.replace("a", b"3", content_type=TEXT, generation=stale)
    assert store.read("a")[0] == b"2"


def test_replace_of_nothing_conflicts(store: ObjectStore) -> None:
    with pytest.raises(ConflictError):
        store.replace("nowhere", b"1", content_type=TEXT, generation=17)


def test_what_is_not_there(store: ObjectStore) -> None:
    assert store.find("nowhere") is None
    assert list(store.list("nowhere/")) == []
    with pytest.raises(NotFoundError):
        store.read("nowhere")


def test_list_is_in_name_order_and_keeps_to_its_prefix(store: ObjectStore) -> None:
    for name in ("p/00002", "p/00000", "p/00001", "q/00000"):
        store.create(name, name.encode(), content_type=TEXT, metadata={"n": name})
    listed = list(store.list("p/"))
    assert [each.name for each in listed] == ["p/00000", "p/00001", "p/00002"]
    assert listed[0] == store.find("p/00000")


def test_uri_prefix_names_the_bucket(store: ObjectStore) -> None:
    assert store.uri_prefix.startswith("gs://")
    assert store.uri_prefix.endswith("/")


def test_a_bucket_that_is_not_there_is_waited_for(cloud: CloudSettings) -> None:
    store = GcsObjectStore(CloudSettings(project=cloud.project, bucket="never-made"))
    with pytest.raises(TransientError, match="provision"):
        store.create("a", b"1", content_type=TEXT)


def test_a_service_that_is_away_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    store = GcsObjectStore(CloudSettings(project="p", bucket="b"), retry_s=0.2)
    for call in (
        lambda: store.create("a", b"1", content_type=TEXT),
        lambda: store.replace("a", b"1", content_type=TEXT, generation=1),
        lambda: store.read("a"),
        lambda: store.find("a"),
        lambda: store.list("a"),
    ):
        with pytest.raises(TransientError):
            call()
