"""``wamcp objects check``: what is missing and what is left over is said, and removed when that is asked for."""

import os
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from tests.running import COMMAND, bare
from tests.s3_servers import serving
from wamcp.db.media import keep_upload
from wamcp.settings import load
from wamcp.storage.directory.write import DirectoryWriter
from wamcp.storage.objects import Stored
from wamcp.storage.write import open_store

CONTENTS = [b"the first file", b"", os.urandom(3_000_000)]
LEFT_OVER = "3 files are there, 0 missing, 1 that no row names for a day"


@pytest.fixture
def store(tmp_path: Path) -> DirectoryWriter:
    return DirectoryWriter(tmp_path / "one")


@pytest.fixture
def kept(db: psycopg.Connection, store: DirectoryWriter) -> list[Stored]:
    """Files, and rows that name them."""
    found = [store.put([content], cap=10_000_000) for content in CONTENTS]
    for stored in found:
        keep_upload(db, "700000000000001", stored, "application/pdf", None)
    return found


def check(database_url: str, tmp_path: Path, *words: str) -> tuple[int, str]:
    env = bare(tmp_path) | {"DATABASE_URL": database_url, "WAMCP_OBJECT_DIR": str(tmp_path / "one")}
    done = subprocess.run([*COMMAND, "objects", "check", *words], cwd=tmp_path, env=env, capture_output=True, text=True)
    return done.returncode, done.stderr


def left_over(store: DirectoryWriter, content: bytes, *, days: float) -> str:
    """Puts what no row names."""
    key = store.put([content], cap=99).key
    written = time.time() - days * 86_400
    os.utime(store.path(key), (written, written))
    return key


def test_a_missing_file_is_said(kept: list[Stored], database_url: str, store: DirectoryWriter, tmp_path: Path) -> None:
    assert check(database_url, tmp_path) == (0, "3 files are there, 0 missing, 0 that no row names for a day.\n")
    store.delete(kept[0].key)
    assert check(database_url, tmp_path) == (1, "2 files are there, 1 missing, 0 that no row names for a day.\n")


def test_what_is_left_over_is_said_and_removed_when_it_is_a_day_old(
    kept: list[Stored], database_url: str, store: DirectoryWriter, tmp_path: Path
) -> None:
    old, young = left_over(store, b"old", days=1.1), left_over(store, b"its row may come", days=0.9)
    (store.root / "raw/README").write_text("not an object")
    os.utime(store.path(kept[1].key), (0, 0))
    code, said = check(database_url, tmp_path)
    assert code == 1 and said == f"{LEFT_OVER}: `wamcp objects check --remove` deletes them.\n"
    assert check(database_url, tmp_path, "--remove") == (0, f"{LEFT_OVER}, 1 of them removed.\n")
    assert store.size(old) is None and store.size(young) is not None
    assert [store.read(stored.key, 0, 10_000_000) for stored in kept] == CONTENTS


def test_nothing_is_removed_for_a_database_that_names_nothing(
    database_url: str, store: DirectoryWriter, tmp_path: Path
) -> None:
    key = left_over(store, b"somebody else's", days=2)
    code, said = check(database_url, tmp_path, "--remove")
    assert code == 1 and "is DATABASE_URL that of this store?" in said and "Traceback" not in said
    assert store.size(key) is not None


@pytest.mark.parametrize("name", ["rclone", "nanio"])
def test_a_bucket_lists_its_objects(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path / "s3") as server:
        bucket = open_store(load(server.environ()))
        assert list(bucket.keys(-5)) == []
        kept = [bucket.put([content], cap=10_000_000).key for content in CONTENTS]
        assert sorted(bucket.keys(-5)) == sorted(kept)
        assert list(bucket.keys()) == []
