"""The embedded Redis is a real server: on a socket only, empty after a restart, gone with what started it."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from serve.embedded import processes
from serve.embedded.redis import EmbeddedRedis, RedisFailed, binary


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    program = binary()
    assert program is not None
    made = EmbeddedRedis(tmp_path / "r", program)
    made.start()
    yield made
    made.stop()


def asked(server: EmbeddedRedis) -> "Redis":
    return Redis.from_url(server.url, decode_responses=True)


def test_it_listens_on_a_socket_of_its_user_and_on_no_port(server: EmbeddedRedis) -> None:
    with asked(server) as redis:
        assert redis.config_get("port") == {"port": "0"}
        assert redis.config_get("save") == {"save": ""}
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700


def test_it_keeps_the_mark_by_which_a_leftover_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processes.MARKER, "of-this-test")
    program = binary()
    assert program is not None
    marked = EmbeddedRedis(tmp_path / "m", program)
    marked.start()
    try:
        assert marked.process in processes.marked("of-this-test")
    finally:
        marked.stop()


def test_it_is_started_again_empty(server: EmbeddedRedis) -> None:
    with asked(server) as redis:
        redis.set("a", "1")
    process = server.process
    assert process is not None
    processes.send(process, 9)
    assert processes.wait_until(lambda: not server.is_alive(), 5)
    server.start()
    with asked(server) as redis:
        assert redis.get("a") is None


def test_it_ends_when_it_is_told(server: EmbeddedRedis) -> None:
    process = server.process
    assert process is not None
    server.stop()
    assert not process.is_alive()
    assert not server.is_alive()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho no room >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(RedisFailed, match="no room"):
        EmbeddedRedis(tmp_path / "r", program).start()
