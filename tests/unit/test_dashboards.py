"""Every metric that a panel or an alert asks for is there, with those labels, in what Boond really exposes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from actors.meters import Family, Kind, Series
from serve.observe.catalogue import FAMILIES
from serve.observe.exposition import exposition

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((DEPLOY / "grafana" / "boond.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

METRIC = re.compile(r"(?P<name>boond_\w+)(?:\{(?P<labels>[^}]*)\})?")
GROUPING = re.compile(r"(?:by|on|without|ignoring)\s*\(([^)]*)\)")


def one_of_each(family: Family) -> Series:
    values = (1,) * (len(family.bounds) + 2) if family.kind is Kind.HISTOGRAM else (1,)
    return Series(family.name, tuple(f"some {label}" for label in family.labels), values)


def exposed() -> dict[str, set[str]]:
    """Return the labels of every sample in the text of an instance that has counted one of each family."""
    text = exposition({"api-a": [one_of_each(family) for family in FAMILIES.values()]}).decode()
    return {
        sample.name: set(sample.labels) for family in text_string_to_metric_families(text) for sample in family.samples
    }


EXPOSED = exposed()


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield f"alert {rule['alert']}", rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"panel {panel['title']} {target['refId']}", target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]


ASKED = list(expressions())


@pytest.mark.parametrize(("where", "expression"), ASKED, ids=[where for where, _ in ASKED])
def test_what_is_asked_for_is_exposed_with_those_labels(where: str, expression: str) -> None:
    asked = list(METRIC.finditer(expression))
    if where == "alert BoondAway":
        assert expression.startswith("up{")
        return
    assert asked, f"{where} asks for no metric of ours"
    for metric in asked:
        assert metric["name"] in EXPOSED, f"{where}: there is no {metric['name']}"
        matched = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", metric["labels"] or ""))
        assert matched <= EXPOSED[metric["name"]], f"{where}: {metric['name']} has no label {matched}"
    labels = set.intersection(*(EXPOSED[metric["name"]] for metric in asked))
    grouped = {name.strip() for names in GROUPING.findall(expression) for name in names.split(",")} - {""}
    assert grouped <= labels, f"{where} groups by {grouped - labels}"


def legends(panel: dict[str, Any]) -> set[str]:
    return {name for target in panel["targets"] for name in re.findall(r"{{(\w+)}}", target["legendFormat"])}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_legend_names_only_labels_that_its_panel_keeps(panel: dict[str, Any]) -> None:
    kept = {
        name.strip()
        for target in panel["targets"]
        for names in GROUPING.findall(target["expr"])
        for name in names.split(",")
    }
    assert legends(panel) <= kept


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert all(x < 24 for x, _ in places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_urgent_it_is_and_what_to_look_at(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description"}


def test_the_scrape_goes_where_the_metrics_are() -> None:
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    [job] = scrape["scrape_configs"]
    assert job["metrics_path"] == "/api/v1/metrics"
    assert scrape["rule_files"] == ["alerts.yml"]
