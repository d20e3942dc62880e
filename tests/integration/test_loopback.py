"""Where the HTTP servers listen that Serve starts: its own function, with what we replace in it."""

import asyncio
from typing import Any

import pytest
import ray
import uvicorn
from ray.serve._private import http_util
from ray.serve.config import HTTPOptions

from serve import deploy
from serve.embedded.haproxy import free_ports


async def _listens_on(host: str) -> str:
    """Return the address of a server that Serve was told to start at `host`."""
    options = HTTPOptions(host=host, port=free_ports(1)[0], middlewares=[])

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError("nobody asks")

    loop = asyncio.get_running_loop()
    task, server = await http_util.start_asgi_http_server(app, options, event_loop=loop)
    while not server.started:
        await asyncio.sleep(0.01)
    [address] = {listener.getsockname()[0] for each in server.servers for listener in each.sockets}
    server.should_exit = True
    await task
    return str(address)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1"])
async def test_on_a_node_of_its_own_the_proxy_beside_the_front_door_is_on_loopback(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_util, "socket", http_util.socket)
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "127.0.0.1")
    assert deploy.hide_fallback() == []
    assert await _listens_on(host) == "127.0.0.1"


async def test_on_a_cluster_it_is_left_where_others_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_util, "socket", http_util.socket)
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "10.0.0.7")
    deploy.hide_fallback()
    assert await _listens_on("0.0.0.0") == "0.0.0.0"


async def test_a_replica_keeps_what_its_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica runs Serve's hook too, after its constructor: with direct sockets it must stay reachable."""
    monkeypatch.setattr(http_util, "socket", http_util.socket)
    monkeypatch.setattr(uvicorn, "Config", uvicorn.Config)
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "127.0.0.1")
    deploy.limit_sockets()
    deploy.hide_fallback()
    assert await _listens_on("0.0.0.0") == "0.0.0.0"
