from pathlib import Path

import pytest
from msgspec import structs

from serve import preflight
from serve.embedded import haproxy
from serve.gateways import ASKED_S, FRESH_S, Address, Directory
from serve.settings import Settings
from tests.support.manual_clock import ManualClock
from tests.support.rest import serving

LIVE = "/api/v1/live"


class Serve:
    """Serve's controller, as a directory asks it."""

    def __init__(self) -> None:
        self.asked, self.silent, self.ports = 0, False, [20_003]

    async def __call__(self) -> list[Address]:
        self.asked += 1
        if self.silent:
            raise ConnectionError("the controller is gone")
        return [Address("127.0.0.1", port) for port in self.ports]


@pytest.mark.parametrize(
    ("ip", "host", "url"),
    [
        ("127.0.0.1", "127.0.0.1:8000", "ws://127.0.0.1:20003/api/v1/live"),
        ("127.0.0.1", "boond.example:8000", "ws://boond.example:20003/api/v1/live"),
        ("127.0.0.1", "boond.example", "ws://boond.example:20003/api/v1/live"),
        ("127.0.0.1", "[::1]:8000", "ws://[::1]:20003/api/v1/live"),
        ("127.0.0.1", "[::1]", "ws://[::1]:20003/api/v1/live"),
        ("127.0.0.1", "", "ws://127.0.0.1:20003/api/v1/live"),
        ("10.0.0.7", "boond.example:8000", "ws://10.0.0.7:20003/api/v1/live"),
    ],
)
def test_a_client_finds_a_replica_where_it_found_us_or_on_its_own_node(ip: str, host: str, url: str) -> None:
    assert Address(ip, 20_003).url(host, LIVE) == url


async def test_serve_is_asked_once_a_second_however_many_come_back() -> None:
    clock, serve = ManualClock(), Serve()
    directory = Directory(serve, clock)
    for _ in range(100):
        assert await directory() == [Address("127.0.0.1", 20_003)]
    assert serve.asked == 1
    serve.ports = [20_004]
    await clock.advance(FRESH_S)
    assert await directory() == [Address("127.0.0.1", 20_004)]
    assert serve.asked == 2
    assert ASKED_S > FRESH_S


async def test_what_serve_said_last_holds_while_it_is_silent() -> None:
    clock, serve = ManualClock(), Serve()
    directory = Directory(serve, clock)
    await directory()
    serve.silent = True
    await clock.advance(FRESH_S)
    assert await directory() == [Address("127.0.0.1", 20_003)]


async def test_the_call_lists_addresses_and_none_where_only_the_front_door_takes_sockets(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        assert (await rest.http.get(f"{LIVE}/gateways")).status_code == 401
        answer = await rest.http.get(f"{LIVE}/gateways", headers=rest.bearer("asha"))
        assert (answer.status_code, answer.json()) == (200, {"gateways": []})


async def test_the_call_lists_every_replica_at_the_name_the_client_used(tmp_path: Path) -> None:
    serve = Serve()
    serve.ports = [20_003, 20_004]
    async with serving(tmp_path, gateways=Directory(serve, ManualClock())) as rest:
        headers = {**rest.bearer("wallet", "service"), "Host": "boond.example:8000"}
        answer = await rest.http.get(f"{LIVE}/gateways", headers=headers)
        assert answer.json() == {"gateways": [f"ws://boond.example:{port}{LIVE}" for port in (20_003, 20_004)]}


def _direct(tmp_path: Path, **more: object) -> preflight.Finding:
    [port] = haproxy.free_ports(1)
    settings = Settings(data=str(tmp_path / "data"), port=port, direct_sockets=True)
    settings = structs.replace(settings, **more)
    return next(finding for finding in preflight.examine(settings) if finding.part == "direct sockets")


def test_direct_sockets_are_refused_where_the_front_door_would_not_reach_the_replicas(tmp_path: Path) -> None:
    assert _direct(tmp_path).is_well
    assert _direct(tmp_path, host="0.0.0.0").is_well
    finding = _direct(tmp_path, host="192.0.2.7")
    assert (finding.fatal, "--host 127.0.0.1 or 0.0.0.0" in finding.mend) == (True, True)


def test_direct_sockets_are_refused_without_haproxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy, "find_binary", lambda _environment: None)
    assert _direct(tmp_path).fatal
