"""A browser's page opens a socket only from an origin on the list; what is no browser sends none."""

import pytest

from serve.live.routes import admits


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "admitted"),
    [
        (None, "boond.example", (), True),
        ("https://boond.example", "boond.example", (), True),
        ("https://evil.example", "boond.example", (), False),
        ("https://app.example", "boond.example", ("https://app.example",), True),
        ("https://app.example.evil.example", "boond.example", ("https://app.example",), False),
        ("http://app.example", "boond.example", ("https://app.example",), False),
        ("https://boond.example", "boond.example", ("https://app.example",), False),
        ("null", "boond.example", (), False),
    ],
)
def test_origins_match_exactly(origin: str | None, host: str, allowed: tuple[str, ...], admitted: bool) -> None:
    assert admits(origin, host, allowed) is admitted
