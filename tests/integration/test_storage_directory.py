"""What the directory driver does beyond that: modes, one file for one content, disks that are full, lost or shut."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wamcp.errors import NotStored, StoreUnavailable
from wamcp.settings import load
from wamcp.storage import write
from wamcp.storage.directory import write as driver
from wamcp.storage.directory.write import DirectoryWriter
from wamcp.storage.objects import Stored

CAP = 1_000_000
NOBODY = 65_534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the objects will be; not made yet."""
    return tmp_path / "state" / "objects"


@pytest.fixture
def store(root: Path) -> DirectoryWriter:
    """A store there."""
    return DirectoryWriter(root)


@pytest.fixture
def shut() -> Iterator[Path]:
    """A directory that this process may read and not write; as root, by becoming nobody for a while."""
    directory = Path(tempfile.mkdtemp())
    was_root = os.geteuid() == 0
    if was_root:
        os.chown(directory, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    directory.chmod(0o500)
    try:
        yield directory
    finally:
        directory.chmod(0o700)
        if was_root:
            os.seteuid(0)
        for path in directory.iterdir():
            path.rmdir()
        directory.rmdir()


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_the_settings_choose_the_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parents[1])
    store = write.open_store(load({"WAMCP_OBJECT_DIR": "state/objects"}))
    monkeypatch.chdir("/")
    assert store.place() == str(root)
    assert not root.exists()


def test_files_and_directories_are_for_their_owner_alone(store: DirectoryWriter, root: Path) -> None:
    before = os.umask(0)
    try:
        stored = store.put([b"private"], cap=CAP)
    finally:
        os.umask(before)
    path = root / stored.key
    assert path.stat().st_mode & 0o777 == 0o600
    for directory in (path.parent, path.parents[1], root, root.parent, root / driver.INCOMING):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_the_same_content_is_one_file_and_is_not_written_again(store: DirectoryWriter, root: Path) -> None:
    first = store.put([b"same"], cap=CAP)
    before = (root / first.key).stat()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: store.put([b"same"], cap=CAP), range(40))) == {first}
    after = (root / first.key).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert files(root) == [root / first.key]


def test_a_file_that_lost_a_part_is_put_again(store: DirectoryWriter, root: Path) -> None:
    stored = store.put([b"all of it"], cap=CAP)
    os.truncate(root / stored.key, 3)
    assert store.put([b"all of it"], cap=CAP) == stored
    assert store.read(stored.key, 0, 99) == b"all of it"


def test_everything_is_flushed_before_it_counts(
    store: DirectoryWriter, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes before the name, and each directory after the name that was made in it."""
    happened: list[str] = []
    real_fsync, real_replace, real_mkdir = os.fsync, Path.replace, Path.mkdir

    def named(path: Path) -> str:
        return str(path.relative_to(root.parent))

    def fsync(number: int) -> None:
        path = Path(f"/proc/self/fd/{number}").readlink()
        happened.append(f"flushed {named(path)}")
        real_fsync(number)

    def replace(path: Path, target: Path) -> Path:
        happened.append(f"named {named(target)}")
        return real_replace(path, target)

    def mkdir(path: Path, mode: int = 0o777) -> None:
        real_mkdir(path, mode)
        happened.append(f"made {named(path)}")

    store.put([b"the directories"], cap=CAP)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "mkdir", mkdir)
    key = store.put([b"the object"], cap=CAP).key
    shelf = f"objects/{key.rpartition('/')[0]}"
    assert happened[0].startswith("flushed objects/incoming/")
    assert happened[1:4] == [f"made {shelf}", "flushed objects/raw", f"named objects/{key}"]
    assert happened[4:] == [f"flushed {shelf}", "flushed objects/raw", "flushed objects"]
    happened.clear()
    store.put([b"the object"], cap=CAP)
    assert happened == [f"flushed {shelf}", "flushed objects/raw", "flushed objects"], "its first put may not be done"


def test_a_directory_that_cannot_be_written_is_told_as_such(shut: Path) -> None:
    for root in (shut, shut / "objects"):
        store = DirectoryWriter(root)
        with pytest.raises(StoreUnavailable, match=r"cannot be written \(Permission denied\); check"):
            store.put([b"anything"], cap=CAP)
        told = store.trouble()
        assert told is not None and told.startswith(f"{shut} cannot be written to") and write.probe(store) == told


def test_a_file_in_the_place_of_the_directory_is_told_as_such(root: Path, store: DirectoryWriter) -> None:
    root.parent.mkdir()
    root.write_text("not a directory")
    key = Stored(f"raw/00/{'0' * 64}", b"", 0).key
    for use in (store.size, store.open, store.delete, lambda _: store.put([b"x"], cap=CAP)):
        with pytest.raises(StoreUnavailable):
            use(key)
    told = store.trouble()
    assert told is not None and "is no directory" in told


def test_a_disk_that_takes_no_more_is_told_and_nothing_stays(store: DirectoryWriter, root: Path) -> None:
    """A limit on the size of files stands for the full disk: writing fails in the middle."""
    script = (
        "import resource, sys\nfrom pathlib import Path\nfrom wamcp.storage.directory.write import DirectoryWriter\n"
        "from wamcp.errors import StoreUnavailable\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "store = DirectoryWriter(Path(sys.argv[1]))\n"
        "for size in (300, 3_000, 300_000):\n"
        "    try: store.put((bytes([each % 256]) * size for each in range(1_000)), cap=10**9)\n"
        "    except StoreUnavailable as error: print(error.status_code, 'File too large' in str(error))\n"
        "print(store.put([b'small'], cap=9).size)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["503 True"] * 3 + ["5"]
    assert len(files(root)) == 1 and store.sweep(0) == 0


def test_a_disk_with_little_room_is_told_in_time(store: DirectoryWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.trouble() is None
    monkeypatch.setattr(driver, "SPARE_BYTES", 10**18)
    told = store.trouble()
    assert told is not None and "MB left; make room" in told


def test_sweeping_takes_only_what_is_old_and_unnamed(store: DirectoryWriter, root: Path) -> None:
    kept = store.put([b"kept"], cap=CAP)
    old, young = root / driver.INCOMING / "old", root / driver.INCOMING / "young"
    for path in (old, young):
        path.write_bytes(b"abandoned")
    for path in (old, root / kept.key):
        os.utime(path, (0, 0))
    assert store.sweep() == 1
    assert not old.exists() and young.exists() and store.size(kept.key) == 4


def test_the_probe_leaves_nothing_and_sees_what_a_look_does_not(store: DirectoryWriter, root: Path) -> None:
    assert write.probe(store) is None
    assert files(root) == []
    (root / driver.INCOMING).rmdir()
    (root / driver.INCOMING).write_text("in the way")
    assert store.trouble() is None
    assert "cannot be written" in (write.probe(store) or "")


def test_a_store_that_loses_what_it_took_is_found_out(store: DirectoryWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(key: str, start: int, length: int) -> bytes:
        raise NotStored()

    monkeypatch.setattr(store, "read", lambda key, start, length: b"other")
    assert "other bytes than were put" in (write.probe(store) or "")
    monkeypatch.setattr(store, "read", lost)
    assert "does not hold" in (write.probe(store) or "")
