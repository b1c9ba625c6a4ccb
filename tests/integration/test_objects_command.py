"""``wamcp objects``: out of one store and into another, every byte the same."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import psycopg
import pytest

from tests.running import COMMAND, bare
from wamcp.db.media import keep_upload
from wamcp.storage.directory.write import DirectoryWriter
from wamcp.storage.objects import Stored

CONTENTS = [b"the first file", b"", os.urandom(3_000_000)]


@pytest.fixture
def kept(db: psycopg.Connection, tmp_path: Path) -> list[Stored]:
    """Files in the directory ``one``, and rows that name them."""
    store = DirectoryWriter(tmp_path / "one")
    found = [store.put([content], cap=10_000_000) for content in CONTENTS]
    for stored in found:
        keep_upload(db, "700000000000001", stored, "application/pdf", None)
    return found


def objects(database_url: str, tmp_path: Path, store: str, verb: str, given: bytes = b"") -> tuple[int, bytes, str]:
    env = bare(tmp_path) | {"DATABASE_URL": database_url, "WAMCP_OBJECT_DIR": str(tmp_path / store)}
    done = subprocess.run([*COMMAND, "objects", verb], cwd=tmp_path, env=env, input=given, capture_output=True)
    return done.returncode, done.stdout, done.stderr.decode()


def test_files_move_to_another_store(kept: list[Stored], database_url: str, tmp_path: Path) -> None:
    code, tar, said = objects(database_url, tmp_path, "one", "save")
    assert (code, said) == (0, "3 files saved, 0 missing.\n")
    assert objects(database_url, tmp_path, "two", "check")[0] == 1
    assert objects(database_url, tmp_path, "two", "load", tar)[::2] == (0, "3 files loaded, 0 missing.\n")
    assert objects(database_url, tmp_path, "two", "check")[::2] == (0, "3 files are there, 0 missing.\n")
    other = DirectoryWriter(tmp_path / "two")
    assert [other.read(stored.key, 0, 10_000_000) for stored in kept] == CONTENTS


def test_a_missing_file_is_said_and_the_others_are_saved(kept: list[Stored], database_url: str, tmp_path: Path) -> None:
    DirectoryWriter(tmp_path / "one").delete(kept[0].key)
    code, tar, said = objects(database_url, tmp_path, "one", "save")
    assert (code, said) == (1, "2 files saved, 1 missing.\n")
    with tarfile.open(fileobj=io.BytesIO(tar)) as saved:
        assert sorted(saved.getnames()) == sorted(stored.key for stored in kept[1:])


def test_bytes_that_changed_are_refused(kept: list[Stored], database_url: str, tmp_path: Path) -> None:
    _, tar, _ = objects(database_url, tmp_path, "one", "save")
    forged = tar.replace(CONTENTS[0], b"another file!!")
    assert forged != tar
    code, _, said = objects(database_url, tmp_path, "two", "load", forged)
    assert code == 1
    assert "was changed since it was saved" in said
    assert "Traceback" not in said
