import re
from pathlib import Path

import pytest

from serve import configuration_page, settings
from serve.embedded import haproxy, processes
from serve.embedded.ray_node import ray_environment
from serve.embedded.run_folder import RunFolder
from serve.made_tables import NoMarkers

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_shows_the_settings_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert configuration_page.renewed(page) == page, (
        "out of date: python -m serve.configuration_page docs/configuration.md"
    )


def test_a_changed_table_is_replaced_and_the_prose_is_kept() -> None:
    page = f"before\n{configuration_page.BEGIN}\nyesterday\n{configuration_page.END}\nafter\n"
    renewed = configuration_page.renewed(page)
    assert renewed.startswith("before\n")
    assert renewed.endswith("\nafter\n")
    assert "yesterday" not in renewed
    for name in settings.Settings.__struct_fields__:
        assert f"`{name}`" in renewed


def test_a_switch_is_shown_as_it_is_written() -> None:
    shown = {name: default for name, _, default, _ in settings.describe()}
    assert (shown["metrics"], shown["sandbox"]) == ("1", "0")
    assert settings.load({}, {"BOOND_METRICS": shown["metrics"]}).metrics


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(NoMarkers):
        configuration_page.renewed(f"{configuration_page.END}{configuration_page.BEGIN}")


def test_every_variable_that_up_sets_is_explained_and_no_other(run: RunFolder) -> None:
    sets = {processes.MARKER, *ray_environment(run)}
    for binary in (None, "haproxy"):
        sets |= haproxy.front_door_environment(run, binary, 0).keys()
    section = PAGE.read_text(encoding="utf-8").partition("## What `up` sets")[2]
    named = {name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall("`(.+?)`", row)}
    assert named == sets


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path, {"TMPDIR": str(tmp_path)})
    folder.path = tmp_path / "run"
    folder.haproxy = folder.path / "haproxy"
    folder.haproxy.mkdir(parents=True)
    return folder
