"""The dashboard and the alert rules as tests read them: each expression, and the metrics and labels that it names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

INFRA = Path(__file__).parents[1] / "infra"
_WORD = re.compile(r"wamcp_[a-z0-9_]+")
_SELECTOR = re.compile(r"(wamcp_[a-z0-9_]+)(?:\{([^}]*)\})?")


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    told = yaml.safe_load((INFRA / "prometheus/alerts.yml").read_text())
    return [rule for group in told["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels but its headings."""
    told = json.loads((INFRA / "grafana/wamcp.json").read_text())
    return [panel for panel in told["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression with the title of what it stands in."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression names."""
    return set(_WORD.findall(expression))


def selected(expression: str) -> list[tuple[str, list[str]]]:
    """Each metric that an expression names with the labels that it asks for there."""
    return [(name, re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside)) for name, inside in _SELECTOR.findall(expression)]


def is_balanced(expression: str) -> bool:
    """Whether brackets and quotes are closed in the order they were opened."""
    open_ones: list[str] = []
    for letter in re.sub(r'"[^"]*"', "", expression):
        if letter in "([{":
            open_ones.append({"(": ")", "[": "]", "{": "}"}[letter])
        elif letter in ")]}" and (not open_ones or open_ones.pop() != letter):
            return False
    return not open_ones and '"' not in re.sub(r'"[^"]*"', "", expression)
