"""The documents agree with the code."""

import re
from pathlib import Path

import typer.main

from wamcp.cli.main import app
from wamcp.db.tables import metadata
from wamcp.settings import Settings, env_names, is_secret

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_and_nothing_else() -> None:
    table = (ROOT / "docs/configuration.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)`", table, re.MULTILINE))
    assert documented == {env_names(field)[0] for field in Settings.model_fields}


def test_every_legacy_name_and_file_variant_is_documented() -> None:
    lines = (ROOT / "docs/configuration.md").read_text().splitlines()
    for field in Settings.model_fields:
        canonical, *legacy = env_names(field)
        line = next(line for line in lines if line.startswith(f"| `{canonical}`"))
        for name in legacy:
            assert f"`{name}`" in line
        assert (f"`{canonical}_FILE`" in line) == is_secret(field)


def test_the_example_environment_names_only_settings_that_exist() -> None:
    known = {name for field in Settings.model_fields for name in env_names(field)}
    for line in (ROOT / ".env.example").read_text().splitlines():
        if match := re.match(r"#?\s?([A-Z][A-Z0-9_]+)=", line):
            assert match.group(1) in known, line


def test_every_table_has_a_word_in_the_glossary() -> None:
    glossary = (ROOT / "docs/glossary.md").read_text()
    for table in metadata.tables:
        assert f"`{table}`" in glossary, table


def test_every_command_is_in_the_command_list() -> None:
    text = (ROOT / "docs/commands.md").read_text()
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"`wamcp {name}" in text, name


def test_every_make_target_has_a_sentence() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^\.PHONY: (\S+)", makefile, re.MULTILINE):
        assert re.search(rf"^{target}:.*## \w", makefile, re.MULTILINE), target


def test_every_route_is_documented() -> None:
    text = (ROOT / "docs/api.md").read_text()
    found = 0
    for module in sorted((ROOT / "src/wamcp/web").glob("*.py")):
        source = module.read_text()
        if not (router := re.search(r"^router = APIRouter\((?:prefix=\"([^\"]+)\")?", source, re.MULTILINE)):
            continue
        routes = re.findall(r'@router\.([a-z]+)\(\s*"(/[^"]*|)"', source)
        assert routes, module
        found += len(routes)
        for method, route in routes:
            # Documents leave out how a parameter is read: {wamid}, not {wamid:path}.
            path = re.sub(r":[a-z]+\}", "}", f"{router.group(1) or ''}{route}")
            assert f"`{method.upper()} {path}`" in text, (module.name, path)
    assert found > 10
