"""A child for one document: what it may do, how its end is told, and that nothing of it stays behind."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from wamcp.documents import sandbox, wire
from wamcp.documents.sandbox import Ending, run
from wamcp.embedded.process import is_running

JOB = wire.Job(task="read", memory=768 << 20, cpu_seconds=6, file_bytes=1 << 20)
BEGIN = """
import os, sys
sys.path.insert(0, sys.argv[1])
from wamcp.documents import wire
def say(text):
    os.write(1, wire.framed(wire.Kind(text)))
"""


def played(monkeypatch: pytest.MonkeyPatch, code: str, wall_seconds: float = 10) -> sandbox.Run:
    """What comes of a child that runs ``code`` instead of reading."""
    monkeypatch.setattr(sandbox, "_START", BEGIN + code)
    with tempfile.TemporaryFile() as file:
        file.write(b"the document")
        file.flush()
        return run(JOB, file.fileno(), wall_seconds)


def said(done: sandbox.Run) -> list[str | None]:
    return [answer.mime for answer in done.answers if isinstance(answer, wire.Kind)]


def test_it_sees_the_document_and_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATSAPP_ACCESS_TOKEN", "EAAB-secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    done = played(monkeypatch, "import json; say(os.read(0, 99).decode()); say(json.dumps(dict(os.environ)))")
    document, environment = said(done)
    assert document == "the document"
    assert set(json.loads(environment or "")) <= {
        "LANG", "LC_CTYPE", "TMPDIR", "HOME", "OMP_THREAD_LIMIT", "OMP_NUM_THREADS", "PATH", "TESSDATA_PREFIX"
    }  # fmt: skip
    assert "secret" not in (environment or "")


def test_it_cannot_write_to_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(played(monkeypatch, "try: os.write(0, b'x')\nexcept OSError: say('refused')")) == ["refused"]


def test_it_has_no_other_file_of_ours_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryFile():
        done = played(monkeypatch, "say(' '.join(sorted(f for f in os.listdir('/proc/self/fd') if int(f) > 2)))")
    assert len((said(done)[0] or "").split()) <= 1  # the one that lists the directory


def test_confined_it_has_no_network_and_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import socket
from wamcp.documents.confine import confine
confine(wire.Job(task="read", memory=768 << 20, cpu_seconds=6, file_bytes=1 << 20))
try: socket.socket()
except PermissionError: say("no network")
try: bytearray(1 << 30)
except MemoryError: say("no memory")
try: open("large", "wb").write(b"x" * (2 << 20))
except OSError: say("no large file")
import signal
"""
    done = played(monkeypatch, "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + code)
    assert said(done) == ["no network", "no memory", "no large file"]


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("", Ending.FINISHED),
        ("os.abort()", Ending.MEMORY),
        (f"os._exit({sandbox.OUT_OF_MEMORY})", Ending.MEMORY),
        ("os.kill(os.getpid(), 24)", Ending.TIMEOUT),
        ("os.kill(os.getpid(), 9)", Ending.KILLED),
        ("os.kill(os.getpid(), 11)", Ending.KILLED),
        ("raise SystemExit(3)", Ending.KILLED),
        ("import time; time.sleep(60)", Ending.TIMEOUT),
        ("os.close(1); import time; time.sleep(60)", Ending.TIMEOUT),
        ("while True: os.write(1, wire.framed(wire.Kind('x' * 100000)))", Ending.TOO_MUCH),
        ("os.write(1, b'\\0\\0\\0\\3abc')", Ending.KILLED),
        ("os.write(1, b'\\x7f\\xff\\xff\\xff' + bytes(1000))", Ending.FINISHED),
    ],
)
def test_how_it_ended_is_told_and_what_it_said_is_kept(
    monkeypatch: pytest.MonkeyPatch, code: str, ending: Ending
) -> None:
    done = played(monkeypatch, f"say('first')\n{code}", wall_seconds=4 if "sleep" in code else 10)
    assert done.ending == ending
    assert said(done)[0] == "first"


def test_what_it_started_ends_with_it_and_its_directory_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import subprocess; say(os.getcwd()); say(str(subprocess.Popen(['sleep', '60'], stdout=2).pid))"
    directory, pid = said(played(monkeypatch, code))
    assert not Path(directory or "").exists()
    for _ in range(50):
        if not is_running(int(pid or 0)):
            return
        time.sleep(0.1)
    os.kill(int(pid or 0), 9)
    pytest.fail("it outlived its parent")


def test_frames_come_whole_out_of_any_pieces() -> None:
    sent = [wire.Kind("a/b"), wire.Read(pages_total=3, pictures=[2]), wire.Finished({"total": "1.00"}, "en")]
    stream = b"".join(map(wire.framed, sent))
    for size in (1, 3, 7, len(stream)):
        frames = wire.Frames()
        got = [answer for at in range(0, len(stream), size) for answer in frames.feed(stream[at : at + size])]
        assert got == sent


_UNPRIVILEGED = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON = 24, 19, 21, 38
for capability in (CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON):
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_OURSELVES = """
import io, os, subprocess, sys
from pathlib import Path
from wamcp.documents.extract import extract
from wamcp.documents.limits import Limits
from wamcp.documents.secrecy import keep_to_ourselves

LOOK = '''
import sys
from pathlib import Path
for name in ("environ", "mem"):
    try:
        open(f"/proc/{sys.argv[1]}/{name}", "rb").read(1)
        print("read", name)
    except PermissionError:
        print("refused")
'''

def look():
    return subprocess.run([sys.executable, "-c", LOOK, str(os.getpid())], capture_output=True, text=True).stdout.split()

assert look()[:2] == ["read", "environ"], look()
keep_to_ourselves()
assert look() == ["refused", "refused"], look()
path = Path(sys.argv[1])
path.write_text("words of a letter")
for source in (path, io.BytesIO(b"words of a letter")):
    found = extract(source, Limits(engine="none"))
    assert found.pages[0].text == "words of a letter", found
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc here")
def test_nobody_else_of_our_user_looks_into_our_memory_and_documents_are_read_all_the_same(
    tmp_path: Path,
) -> None:
    """Without the capabilities that let root look wherever it likes."""
    command = [sys.executable, "-c", _UNPRIVILEGED, sys.executable, "-c", _OURSELVES, str(tmp_path / "letter")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_a_killed_parent_left_behind_is_removed_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, age in (("wamcp-document-old", 7200), ("wamcp-document-new", 60), ("somebody-else", 7200)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page").write_text("secret")
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    assert sandbox.sweep() == 1
    assert {each.name for each in tmp_path.iterdir()} == {"wamcp-document-new", "somebody-else"}
