"""What a program needs to have installed to use the client."""

import subprocess
import sys
from pathlib import Path

import pytest

from serve.client import address

ROOT = Path(__file__).resolve().parents[4]
ALLOWED = {"serve", "msgspec", "websockets", "typing_extensions"}
"""The last comes with the others where it is there."""


def test_the_client_needs_msgspec_and_websockets_only() -> None:
    script = (
        "import sys; before = set(sys.modules); import serve.client, serve.client.blocking; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    foreign = set(run.stdout.split()) - ALLOWED - set(sys.stdlib_module_names)
    assert not {name for name in foreign if not name.startswith("_")}, foreign
    inside = "print(*[m for m in sys.modules if m.startswith('serve.') and not m.startswith('serve.client')])"
    run = subprocess.run(
        [sys.executable, "-c", f"{script}; {inside}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/api/v1/live"),
        ("https://boond.example/", "wss://boond.example/api/v1/live"),
        ("https://example.org/money", "wss://example.org/money/api/v1/live"),
        ("ws://127.0.0.1:8000/api/v1/expenses/real-time", "ws://127.0.0.1:8000/api/v1/expenses/real-time"),
        ("wss://boond.example", "wss://boond.example/api/v1/live"),
    ],
)
def test_the_socket_is_found_from_what_people_have(url: str, socket: str) -> None:
    assert address.socket_url(url) == socket


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://", ""])
def test_an_address_without_a_scheme_says_what_was_expected(url: str) -> None:
    with pytest.raises(ValueError, match="expected http"):
        address.socket_url(url)
