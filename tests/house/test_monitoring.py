"""The dashboard and the alert rules say what they mean, by metrics that are documented."""

import re
from pathlib import Path

import pytest
import yaml

from tests.monitoring import INFRA, expressions, is_balanced, metrics_of, panels, rules

ROOT = Path(__file__).parents[2]
SUFFIXES = ("_bucket", "_count", "_sum")


@pytest.mark.parametrize("title, expression", list(expressions()))
def test_expressions_are_whole_and_name_documented_metrics(title: str, expression: str) -> None:
    assert is_balanced(expression), title
    documented = set(re.findall(r"`(wamcp_[a-z_]+)", (ROOT / "docs/monitoring.md").read_text()))
    documented |= {"wamcp_database_pool_idle", "wamcp_database_pool_waiting"}
    documented |= {name + suffix for name in documented for suffix in SUFFIXES}
    assert metrics_of(expression) and metrics_of(expression) <= documented, title


def test_every_rule_says_what_is_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules()) > 10
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "action"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}


def test_what_can_vanish_is_missed() -> None:
    """A worker, the database and the api tell nothing once they are gone."""
    absent = {name for rule in rules() for name in re.findall(r"absent\((wamcp_\w+)", rule["expr"])}
    assert absent == {"wamcp_build_info", "wamcp_database_up", "wamcp_worker_heartbeat_timestamp"}


def test_the_dashboard_has_room_for_each_panel() -> None:
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


def test_the_example_of_scraping_reads_the_rules() -> None:
    told = yaml.safe_load((INFRA / "prometheus/prometheus.yml").read_text())
    assert [(INFRA / "prometheus" / name).is_file() for name in told["rule_files"]] == [True]
    assert {job["job_name"] for job in told["scrape_configs"]} == {"wamcp", "wamcp-worker"}
