"""A browser's page opens a socket only from an origin on the list; what is no browser sends none."""

import pytest

from serve.live.origins import admits

LIST = ("https://app.example", "http://localhost:3000", "https://[2001:db8::1]:8443")


@pytest.mark.parametrize(
    "origin",
    ["https://app.example", "https://app.example:443", "http://localhost:3000", "https://[2001:db8::1]:8443"],
)
def test_an_origin_of_the_list_is_admitted(origin: str) -> None:
    assert admits(origin, "boond.example", LIST)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "*",
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil.example",
        "https://evil.example/https://app.example",
        "https://evil-app.example",
        "https://sub.app.example",
        "https://app.example@evil.example",
        "https://user@app.example",
        "https://app.example.",
        "https://app.example/",
        "https://app.example#",
        "https://app.example\n",
        " https://app.example",
        "https://app.example, https://evil.example",
        "HTTPS://APP.EXAMPLE",
        "https://app.example:",
        "https://app.example:99999999",
        "https:///app.example",
        "https://аpp.example",  # a Cyrillic а
        "file://",
        "chrome-extension://app.example",
        "http://localhost",
        "http://localhost:30000",
        "http://127.0.0.1:3000",
        "https://boond.example",
    ],
)
def test_everything_else_is_refused(origin: str) -> None:
    assert not admits(origin, "boond.example", LIST)


def test_a_list_may_be_written_in_capitals_and_with_the_usual_port() -> None:
    assert admits("https://app.example", None, ["HTTPS://App.Example:443"])


def test_two_origins_are_a_forgery() -> None:
    assert not admits("https://app.example, https://app.example", None, LIST)


def test_what_is_no_browser_passes() -> None:
    assert admits(None, "boond.example", LIST)


@pytest.mark.parametrize(
    ("origin", "host", "admitted"),
    [
        ("https://boond.example", "boond.example", True),
        ("https://boond.example", "Boond.Example:443", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("https://boond.example", "boond.example:8443", False),
        ("https://evil.example", "boond.example", False),
        ("https://boond.example.evil.example", "boond.example", False),
        ("null", "boond.example", False),
        ("https://boond.example", None, False),
        ("https://boond.example", "", False),
        ("https://boond.example", "boond.example/x", False),
    ],
)
def test_without_a_list_the_page_is_of_the_same_host(origin: str, host: str | None, admitted: bool) -> None:
    assert admits(origin, host, ()) is admitted
