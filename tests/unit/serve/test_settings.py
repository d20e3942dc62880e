import os
from pathlib import Path

import msgspec
import pytest

from serve.settings import RuntimeConfig, Settings, WrongSetting, describe, load, runtime_config


def test_a_flag_comes_before_the_environment_and_that_before_the_default() -> None:
    environment = {"BOOND_PORT": "9001", "BOOND_SHARDS": "3"}
    settings = load({"port": "9002", "host": None}, environment)
    assert (settings.port, settings.shards, settings.host) == (9002, 3, "127.0.0.1")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load({}, {"BOOND_PORT": ""}).port == 8000


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("port", "eighty", "a whole number >= 1 and <= 65535"),
        ("port", "70000", "<= 65535"),
        ("shards", "0", ">= 1"),
        ("heartbeat_s", "soon", "a number"),
        ("log_level", "loud", "debug|info|warning|error"),
        ("origins", "example.com", "scheme://host[:port]"),
        ("origins", "https://example.com/page", "without a path"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_setting_value_and_expectation(
    name: str, value: str, expected: str
) -> None:
    with pytest.raises(WrongSetting) as caught:
        load({}, {f"BOOND_{name.upper()}": value})
    message = str(caught.value)
    assert caught.value.name == name
    assert name in message
    assert value in message
    assert expected in message


def test_a_wrong_flag_is_named_as_the_flag_it_was() -> None:
    with pytest.raises(WrongSetting, match=r"port is '0' \(from --port\)"):
        load({"port": "0"}, {})


def test_origins_are_a_comma_separated_list() -> None:
    assert load({}, {"BOOND_ORIGINS": "https://a.example, http://b.example:81"}).origins == (
        "https://a.example",
        "http://b.example:81",
    )


def test_the_default_is_half_the_cores_and_at_least_one_shard() -> None:
    assert Settings().shards == max(1, (os.cpu_count() or 2) // 2)


def test_every_setting_is_described_with_variable_default_and_consequence() -> None:
    rows = describe()
    assert [name for name, *_ in rows] == list(Settings.__struct_fields__)
    for name, variable, default, consequence in rows:
        assert variable == f"BOOND_{name.upper()}"
        assert default
        assert consequence.endswith(".")


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:81"), ("0.0.0.0", "http://127.0.0.1:81"), ("::1", "http://[::1]:81")],
)
def test_the_url_is_one_that_reaches_us_from_here(host: str, url: str) -> None:
    assert Settings(host=host, port=81).url == url


def test_the_runtime_configuration_carries_the_settings_through_json(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "x" / ".." / "d"), heartbeat_s=3, origins=("https://a.example",))
    config = runtime_config(settings, postgres_url="postgresql://x", instance_id="abc")
    again = msgspec.json.decode(msgspec.json.encode(config), type=RuntimeConfig)
    assert again == config
    assert again.data == str(tmp_path / "d")
    assert (again.heartbeat_s, again.origins, again.namespace) == (3, ("https://a.example",), "boond-abc")


def test_a_relative_data_folder_stays_the_same_whatever_folder_we_change_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load({"data": "data"}, {})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert settings.data_folder == tmp_path / "data"
