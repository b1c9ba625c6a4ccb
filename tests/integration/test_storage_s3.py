"""What the S3 driver does beyond that: which server the settings mean, and what is said when it fails."""

import os
import signal
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.s3_servers import SECRET, Server, serving
from wamcp.errors import Misconfigured, NotStored, StoreUnavailable
from wamcp.settings import load
from wamcp.storage import write
from wamcp.storage.objects import key_of
from wamcp.storage.place import Bucket, place_of
from wamcp.storage.s3 import read as driver
from wamcp.storage.s3.write import PART_BYTES, S3Writer
from wamcp.web.health import _object_store

CAP = 10**8


@pytest.fixture(params=["rclone", "nanio"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with serving(request.param, tmp_path / "buckets") as server:
        yield server


def store_of(environ: dict[str, str]) -> S3Writer:
    store = write.open_store(load(environ))
    assert isinstance(store, S3Writer)
    return store


@pytest.mark.parametrize(
    ("endpoint", "host", "is_secure"),
    [
        ("127.0.0.1:9000", "127.0.0.1:9000", False),
        ("objects:443", "objects:443", True),
        ("s3.example.com", "s3.example.com", True),
        ("http://objects:9000/", "objects:9000", False),
        ("https://s3.example.com", "s3.example.com", True),
        ("HTTPS://[::1]:9000", "[::1]:9000", True),
    ],
)
def test_the_endpoint_says_host_and_scheme(endpoint: str, host: str, is_secure: bool) -> None:
    place = place_of(load({"MINIO_ENDPOINT": endpoint, "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}))
    assert place == Bucket(host, is_secure, "a", "b", "wamcp", "us-east-1")


@pytest.mark.parametrize(
    "endpoint", ["ftp://x", "http://", "x/bucket", "http://u:hush@x:9000", "x:port", "http://x?y=1"]
)
def test_odd_endpoints_are_refused(endpoint: str) -> None:
    with pytest.raises(Misconfigured, match="MINIO_ENDPOINT") as refused:
        write.open_store(load({"MINIO_ENDPOINT": endpoint, "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}))
    assert "hush" not in str(refused.value)


def test_keys_are_needed() -> None:
    with pytest.raises(Misconfigured, match="MINIO_SECRET_KEY is not set"):
        write.open_store(load({"MINIO_ENDPOINT": "x:9000", "MINIO_ACCESS_KEY": "a"}))


def test_the_region_of_amazon_is_in_its_name() -> None:
    keys = {"MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}
    place = place_of(load({"MINIO_ENDPOINT": "s3.eu-west-1.amazonaws.com", **keys}))
    assert isinstance(place, Bucket) and place.region is None and place.is_secure


def test_wrong_keys_are_said_without_showing_them(server: Server) -> None:
    store = store_of(server.environ() | {"MINIO_SECRET_KEY": "not-the-secret"})
    for sentence in (store.trouble(), write.probe(store)):
        assert sentence and "check MINIO_ENDPOINT, its keys and bucket" in sentence
        assert "not-the-secret" not in sentence and SECRET not in sentence
    with pytest.raises(StoreUnavailable):
        store.put([b"x"], cap=1)


def test_health_and_doctor_see_the_store(server: Server) -> None:
    environ = server.environ()
    found = _object_store(load(environ))
    assert (found.status, found.free_bytes) == ("ok", None)
    assert found.detail == f"{environ['MINIO_ENDPOINT']}/{environ['MINIO_BUCKET']}"
    server.kill()
    began = time.monotonic()
    gone = _object_store(load(environ))
    assert gone.status == "failed" and "does not answer" in (gone.detail or "")
    assert time.monotonic() - began < 5
    assert _object_store(load({"MINIO_ENDPOINT": "x:9000"})).status == "failed"


def test_a_server_that_comes_back_has_what_it_took(server: Server) -> None:
    store = store_of(server.environ())
    key = store.put([b"kept"], cap=CAP).key
    server.kill()
    for use in (lambda: store.size(key), lambda: store.read(key, 0, 4), lambda: store.put([b"new"], cap=CAP)):
        with pytest.raises(StoreUnavailable):
            use()
    server.start()
    assert store.read(key, 0, 9) == b"kept" and store.put([b"new"], cap=CAP).size == 3


def test_a_server_that_hangs_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(server.environ())
    key = store.put([b"kept"], cap=CAP).key
    patient = store._client
    monkeypatch.setattr(store, "_client", driver.client_of(store.bucket, read_s=0.3, retries=1))
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.read(key, 0, 4)
        assert "does not answer" in (store.trouble() or "")
        assert time.monotonic() - began < 8
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    monkeypatch.setattr(store, "_client", patient)
    assert store.read(key, 0, 4) == b"kept"


def test_an_object_of_another_size_is_put_again(server: Server) -> None:
    store = store_of(server.environ())
    stored = store.put([b"whole content"], cap=CAP)
    store._client.put_object(store.bucket.name, stored.key, BytesIO(b"half"), 4)
    assert store.put([b"whole content"], cap=CAP) == stored
    assert store.read(stored.key, 0, 99) == b"whole content"


def test_what_is_there_is_not_written_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(server.environ())
    store.put([b"once"], cap=CAP)
    monkeypatch.setattr(S3Writer, "_upload", lambda *_: pytest.fail("written twice"))
    assert store.put([b"once"], cap=CAP).size == 4


def test_a_server_that_keeps_less_than_it_took_is_not_believed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(server.environ())
    monkeypatch.setattr(S3Writer, "_upload", lambda *_: None)
    with pytest.raises(StoreUnavailable, match="has another number"):
        store.put([b"lost"], cap=CAP)


def test_a_bucket_that_was_removed_is_made_again(server: Server) -> None:
    store = store_of(server.environ())
    key = store.put([b"one"], cap=CAP).key
    store.delete(key)
    store._client.remove_bucket(store.bucket.name)
    assert store.size(key) is None and store.put([b"two"], cap=CAP).size == 3


def test_parts_that_nobody_ended_are_swept(tmp_path: Path) -> None:
    with serving("nanio", tmp_path / "buckets") as server:  # rclone lists none: it forgets them when it ends
        store = store_of(server.environ())
        key, other = store.put([b"one"], cap=CAP).key, key_of(b"\x07" * 32)
        upload = store._client._create_multipart_upload(store.bucket.name, other, {})
        store._client._upload_part(store.bucket.name, other, b"x" * PART_BYTES, None, upload, 1)
        assert store.sweep() == 0, "younger than a day"
        assert store.sweep(-5) == 1 and store.sweep(-5) == 0
        assert store.size(key) == 3 and store.size(other) is None


def test_an_object_is_a_file_that_can_be_read_anywhere(server: Server) -> None:
    store = store_of(server.environ())
    content = bytes(range(256)) * 4096
    key = store.put([content], cap=CAP).key
    with store.open(key) as file:
        assert file.seek(-10, os.SEEK_END) == len(content) - 10 and file.read() == content[-10:]
        assert file.seek(1000) == 1000 and file.read(50) == content[1000:1050]
        file.seek(len(content) + 5)
        assert file.read(1) == b""
        file.seek(0)
        assert file.read() == content
    with pytest.raises(NotStored):
        store.open(key[:-1] + ("0" if key[-1] != "0" else "1"))


def test_a_server_that_dies_within_an_object_is_told(server: Server) -> None:
    store = store_of(server.environ())
    key = store.put([os.urandom(40_000_000)], cap=CAP).key
    with store.open(key) as file:
        assert len(file.read(1000)) == 1000
        server.kill()
        with pytest.raises(StoreUnavailable):
            while file.read(1_000_000):
                pass
