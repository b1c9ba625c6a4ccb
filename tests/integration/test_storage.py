"""What every driver of the object store has to do; another driver is another parameter of ``environ``."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest

from tests.s3_servers import GIVEN, Server, given, serving
from wamcp.errors import BadKey, NotStored, TooLarge
from wamcp.settings import load
from wamcp.storage import read, write
from wamcp.storage.objects import key_of

MB = 1_000_000
CAP = 200 * MB


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """S3 servers by name, each started when it is asked for."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(serving(name, tmp_path_factory.mktemp(name) / "buckets")))


@pytest.fixture(params=["directory", "rclone", "nanio", *(["given"] if GIVEN in os.environ else [])])
def environ(request: pytest.FixtureRequest, tmp_path: Path, servers: Callable[[str], Server]) -> dict[str, str]:
    """The variables that name an empty store of one driver."""
    if request.param == "directory":
        return {"WAMCP_OBJECT_DIR": str(tmp_path / "state" / "objects")}
    return given() if request.param == "given" else servers(request.param).environ()


@pytest.fixture
def store(environ: dict[str, str]) -> write.WriteStore:
    """An empty store."""
    return write.open_store(load(environ))


def noise(size: int, seed: int = 1) -> Iterator[bytes]:
    """Bytes that are the same each time, in uneven pieces."""
    generator = random.Random(seed)
    while size > 0:
        piece = generator.randbytes(min(size, generator.randrange(1, 300_000)))
        size -= len(piece)
        yield piece


def child(environ: dict[str, str], script: str) -> subprocess.Popen[str]:
    """A Python process that has ``store`` and ``noise``, and reads and writes what it is told."""
    start = (
        "from tests.integration.test_storage import noise, CAP, MB\nfrom wamcp.settings import load\n"
        "from wamcp.storage import write\nstore = write.open_store(load())\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", start + script],
        env={**os.environ, **environ},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("size", [0, 1, 70_000, 20 * MB])
def test_what_is_put_comes_back(store: write.WriteStore, environ: dict[str, str], size: int) -> None:
    content = b"".join(noise(size))
    stored = store.put(noise(size), cap=CAP)
    assert stored.sha256 == hashlib.sha256(content).digest()
    assert stored.size == size
    assert stored.key == f"raw/{stored.sha256.hex()[:2]}/{stored.sha256.hex()}" == key_of(stored.sha256)
    reading = read.open_store(load(environ))
    assert reading.size(stored.key) == size
    with reading.open(stored.key) as file:
        assert file.read() == content
        file.seek(size // 2)
        assert file.read() == content[size // 2 :]


def test_a_file_is_read_from_where_it_stands(store: write.WriteStore) -> None:
    content = b"\n".join(noise(3 * MB))
    file = BytesIO(b"head" + content)
    file.seek(4)
    stored = store.put(file, cap=CAP)
    assert store.read(stored.key, 0, CAP) == content


def test_ranges(store: write.WriteStore) -> None:
    content = b"".join(noise(100_000))
    key = store.put([content], cap=CAP).key
    for start, length in [(0, 10), (99_990, 10), (99_990, 50), (100_000, 1), (250_000, 1), (5, 0), (0, 100_000)]:
        assert store.read(key, start, length) == content[start : start + length]


def test_the_same_content_is_one_object(store: write.WriteStore) -> None:
    first = store.put(noise(MB), cap=CAP)
    assert store.put([b"".join(noise(MB))], cap=CAP) == first
    assert store.delete(first.key)
    assert store.size(first.key) is None


def test_many_may_put_the_same_at_once(store: write.WriteStore) -> None:
    together = threading.Barrier(8)

    def put(number: int) -> list[str]:
        together.wait()
        return [store.put(noise(200_000, seed), cap=CAP).key for seed in range(5)] + [
            store.put(noise(50_000, 100 + number), cap=CAP).key
        ]

    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(put, range(8)))
    assert len({tuple(each[:5]) for each in keys}) == 1
    for seed, key in enumerate(keys[0][:5]):
        assert store.read(key, 0, CAP) == b"".join(noise(200_000, seed))
    for number, each in enumerate(keys):
        assert store.read(each[5], 0, CAP) == b"".join(noise(50_000, 100 + number))


def test_what_is_too_large_is_not_kept(store: write.WriteStore) -> None:
    content = b"".join(noise(70_000))
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield content

    with pytest.raises(TooLarge, match="69,999 bytes"):
        store.put([content], cap=69_999)
    with pytest.raises(TooLarge):
        store.put(endless(), cap=200_000)
    assert taken == 3
    assert store.size(key_of(hashlib.sha256(content).digest())) is None
    assert store.put([content], cap=70_000).size == 70_000


def test_a_source_that_breaks_off_leaves_nothing(store: write.WriteStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"beginning"
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        store.put(broken(), cap=CAP)
    assert store.size(key_of(hashlib.sha256(b"beginning").digest())) is None
    assert store.sweep(0) == 0


def test_a_writer_that_is_killed_leaves_no_object(store: write.WriteStore, environ: dict[str, str]) -> None:
    script = (
        "import time\ndef slow():\n    for number, piece in enumerate(noise(20 * MB)):\n"
        "        yield piece\n        if number == 60: print('half', flush=True); time.sleep(100)\n"
    )
    with child(environ, f"{script}\nstore.put(slow(), cap=CAP)") as process:
        assert process.stdout is not None and process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    whole = hashlib.sha256(b"".join(noise(20 * MB))).digest()
    part = b"".join(piece for _, piece in zip(range(61), noise(20 * MB), strict=False))
    assert store.size(key_of(whole)) is None and store.size(key_of(hashlib.sha256(part).digest())) is None
    assert store.sweep() == 0, "younger than a day: its writer may live"
    assert store.sweep(0) == ("WAMCP_OBJECT_DIR" in environ), "S3 gathers in a file without a name"
    assert store.put(noise(20 * MB), cap=CAP).sha256 == whole


def test_delete_takes_one_object_and_says_whether_there_was_one(store: write.WriteStore) -> None:
    one, other = store.put([b"one"], cap=CAP), store.put([b"other"], cap=CAP)
    assert store.delete(one.key) and not store.delete(one.key)
    assert store.size(one.key) is None and store.read(other.key, 0, 9) == b"other"
    with pytest.raises(NotStored):
        store.open(one.key)
    with pytest.raises(NotStored):
        store.read(one.key, 0, 1)


def test_an_empty_store_has_nothing_and_is_in_order(store: write.WriteStore) -> None:
    key = key_of(hashlib.sha256(b"anything").digest())
    assert store.size(key) is None and not store.delete(key) and store.sweep(0) == 0
    assert store.trouble() is None and write.probe(store) is None
    assert (store.free_bytes() or 1) > 0


def test_only_keys_are_keys(store: write.WriteStore) -> None:
    good = store.put([b"good"], cap=CAP).key
    digest = good.rpartition("/")[2]
    for key in (
        *("", "/etc/passwd", "raw/../../etc/passwd", f"raw/ff/{digest}" if digest[:2] != "ff" else "raw/00/00"),
        *(f"{good}\n", f"/{good}", f"{good}/x", good.upper(), good[:-1], f"./{good}", good.replace("raw", "incoming")),
        *(f"raw/{digest[:2]}/../{digest[:2]}/{digest}", f"{good}\0"),
    ):
        for use in (store.size, store.open, store.delete, lambda key: store.read(key, 0, 1)):
            with pytest.raises(BadKey):
                use(key)
    with pytest.raises(BadKey):
        key_of(b"short")
    assert store.size(good) == 4


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_stays_flat(environ: dict[str, str]) -> None:
    script = (
        "from pathlib import Path\n"
        "def peak(): return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "store.put(noise(MB), cap=CAP); before = peak(); size = 0\n"
        "key = store.put(noise(100 * MB), cap=CAP).key\n"
        "with store.open(key) as file: again = store.put(file, cap=CAP)\n"
        "print(again.size, peak() - before)\n"
    )
    with child(environ, script) as process:
        said, _ = process.communicate()
    size, grown_kb = map(int, said.split())
    assert size == 100 * MB
    assert grown_kb < 30_000
