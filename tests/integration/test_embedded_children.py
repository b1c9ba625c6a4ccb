"""Children are restarted with patience, ended in time, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from wamcp.embedded import children
from wamcp.embedded.children import Child, Family
from wamcp.embedded.process import Launch, is_running


@pytest.fixture
def family() -> Iterator[Family]:
    family = Family()
    yield family
    family.close()


def child(directory: Path, program: str) -> Child:
    argv: Sequence[str] = (sys.executable, "-I", "-S", "-c", program)
    return Child("one", Launch(argv=argv, env=dict(os.environ), cwd=directory, log=directory / "log"))


def tend(family: Family, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        family.tend()
        time.sleep(0.01)


def tend_until(family: Family, condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        family.tend()
        time.sleep(0.01)


def wait_for_text(path: Path, text: str) -> str:
    for _ in range(500):
        if path.exists() and text in path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{text!r} never came")


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(family: Family, tmp_path: Path) -> None:
    family.start(child(tmp_path, "print('started')"))
    tend(family, 2.4)
    log = tmp_path / "log"
    tend_until(family, lambda: log.read_text().count("started") >= 2)
    starts = log.read_text().count("started")
    assert starts <= 5  # after 0, 0.1, 0.2, 0.4 and 0.8 seconds, and the time that Python takes


def test_a_death_whose_cause_is_passing_is_followed_by_a_start_at_once(family: Family, tmp_path: Path) -> None:
    family.start(replace(child(tmp_path, "print('started')"), is_passing=lambda: True))
    tend_until(family, lambda: (tmp_path / "log").read_text().count("started") == 10, 10)  # else the tenth: after 21 s


def test_a_child_that_lives_and_will_never_work_again_is_ended_and_started(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(children, "_STUCK_SECONDS", 0.5)
    stuck: list[int] = []
    family.start(replace(child(tmp_path, "import time; time.sleep(600)"), is_stuck=stuck.__contains__))
    first = family.pid("one") or 0
    tend(family, 1)
    assert family.pid("one") == first
    stuck.append(first)
    tend(family, 0.3)
    assert family.pid("one") == first, "it may pass"
    tend_until(family, lambda: family.pid("one") not in (None, first) and family.is_alive("one"))


def test_a_change_is_told_after_a_restart_and_again_when_it_could_not_be_told(family: Family, tmp_path: Path) -> None:
    family.start(child(tmp_path, "import time; print('up', flush=True); time.sleep(600)"))
    wait_for_text(tmp_path / "log", "up")
    told = []

    def refuse_once() -> None:
        told.append(family.pid("one"))
        if len(told) == 1:
            raise OSError(28, "No space left on device")

    family.changed = refuse_once
    os.kill(family.pid("one") or 0, signal.SIGKILL)
    tend_until(family, lambda: len(told) == 2)
    tend(family, 0.3)
    assert len(told) == 2 and told[0] == told[1] == family.pid("one")


def test_a_child_that_does_not_listen_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    family = Family()
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    family.start(replace(child(tmp_path, deaf), stop=((signal.SIGTERM, 0.3),)))
    wait_for_text(tmp_path / "log", "deaf")
    pid = family.pid("one") or 0
    family.close()
    assert not is_running(pid)


def test_what_a_dead_child_started_is_ended(family: Family, tmp_path: Path) -> None:
    parent = (
        "import subprocess, time; print('pid', subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    )
    family.start(child(tmp_path, parent))
    grandchild = int(wait_for_text(tmp_path / "log", "\n").split()[1])
    assert is_running(grandchild)
    os.kill(family.pid("one") or 0, signal.SIGKILL)
    tend_until(family, lambda: not is_running(grandchild))


_INTERRUPTED_IN_A_HOOK = """
import os, signal, time
from wamcp.embedded.children import Signals
with Signals() as signals:
    os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        if os.fork() == 0:
            os._exit(0)
        time.sleep(20)
        print("lost")
    except KeyboardInterrupt:
        print("interrupted", signals.received)
"""


def test_a_signal_in_a_hook_of_python_s_interrupts_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", _INTERRUPTED_IN_A_HOOK], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("interrupted True\n", "")


def test_a_zombie_does_not_run() -> None:
    process = subprocess.Popen(["true"])
    for _ in range(200):
        if not is_running(process.pid):
            break
        time.sleep(0.02)
    assert not is_running(process.pid) and Path(f"/proc/{process.pid}").exists()
    process.wait()
