"""What ``wamcp up`` takes from its environment."""

from pathlib import Path

import pytest

from wamcp import supervisor
from wamcp.cli.up import default_state_dir


def test_whatsapp_and_debug_settings_are_passed_on_under_any_of_their_names() -> None:
    given = supervisor.taken_from(
        {"APP_SECRET": "a", "DEBUG_ECHO_MODE": "true", "WHATSAPP_TOKEN": "", "VERIFY_WEBHOOK": "1"}
    )
    assert given == {"APP_SECRET": "a", "DEBUG_ECHO_MODE": "true", "VERIFY_WEBHOOK": "1"}


def test_the_callers_servers_and_ports_are_not() -> None:
    environ = {
        **{"DATABASE_URL": "x", "DATABASE_READER_URL_FILE": "x", "REDIS_URL": "x", "MINIO_ENDPOINT": "x"},
        **{"WAMCP_HOST": "0.0.0.0", "WAMCP_PORT": "1", "WAMCP_TOKEN": "x", "LD_PRELOAD": "x"},
        **{"PATH": "/bin", "LC_ALL": "C.UTF-8", "WAMCP_ENV": "development"},
    }
    env = supervisor.environment(environ)
    assert env == {"PATH": "/bin", "LC_ALL": "C.UTF-8", "WAMCP_ENV": "development"}


def test_how_documents_are_read_is_the_callers_choice() -> None:
    given = {"OCR_LANGUAGES": "deu", "OCR_ENGINE": "none", "OCR_MAX_PAGES": "3", "WAMCP_EXTRACTORS": "1"}
    given |= {"MAX_DOCUMENT_BYTES": "5", "TESSDATA_PREFIX": "/packs"}
    assert supervisor.environment(given) == given


def test_paths_stay_valid_when_the_children_work_elsewhere() -> None:
    env = supervisor.environment({"WHATSAPP_APP_SECRET_FILE": "secret.txt", "PYTHONPATH": "src:/opt/x"})
    here = Path.cwd()
    assert env == {"WHATSAPP_APP_SECRET_FILE": f"{here}/secret.txt", "PYTHONPATH": f"{here}/src:/opt/x"}


def test_the_state_directory_follows_the_desktop_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_state_dir() == Path("/data/wamcp")
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("HOME", "/home/ana")
    assert default_state_dir() == Path("/home/ana/.local/share/wamcp")
