import socket
from pathlib import Path

import pytest
from msgspec import structs

from serve import preflight
from serve.embedded import capacity, haproxy
from serve.settings import Settings


def _settings(tmp_path: Path) -> Settings:
    [port] = haproxy.free_ports(1)
    return Settings(data=str(tmp_path / "data"), port=port)


def test_a_fit_machine_has_nothing_fatal(tmp_path: Path) -> None:
    assert all(not f.fatal for f in preflight.insist(_settings(tmp_path)))


def test_a_taken_port_names_the_port_and_who_has_it(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with socket.create_server(("127.0.0.1", settings.port)):
        with pytest.raises(
            preflight.Unfit, match=rf"127.0.0.1:{settings.port} is taken by pid \d+ .*choose another --port"
        ):
            preflight.insist_on_port(settings)
        preflight.insist(settings, port_too=False)


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(preflight.Unfit, match=r"data folder: .*/data is not a folder.*choose another --data"):
        preflight.insist(_settings(tmp_path))


def test_more_connections_than_open_files_carry_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "nofile_hard", lambda: 4_096)
    settings = structs.replace(_settings(tmp_path), sockets_max=5_000)
    with pytest.raises(
        preflight.Unfit, match=r"hard limit of open files is 4096, which carries 1848.*ulimit -Hn 10400"
    ):
        preflight.insist(settings)


def _found(settings: Settings, part: str) -> preflight.Finding:
    return next(finding for finding in preflight.examine(settings) if finding.part == part)


def test_the_doctor_says_how_many_sockets_the_machine_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = capacity.Kernel(nofile_hard=8_400, ports=28_232, somaxconn=4_096)
    monkeypatch.setattr(capacity, "of_this_machine", lambda: machine)
    finding = _found(structs.replace(_settings(tmp_path), live_replicas=2), "sockets")
    assert finding.is_well
    assert "4000 connections through the front door (open files 8400" in finding.found
    assert "live_replicas=2 hold 7400 each" in finding.found


def test_more_sockets_than_the_live_replicas_take_are_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = capacity.Kernel(nofile_hard=100_000, ports=28_232, somaxconn=4_096)
    monkeypatch.setattr(capacity, "of_this_machine", lambda: machine)
    finding = _found(structs.replace(_settings(tmp_path), sockets_max=15_000), "sockets")
    assert (finding.fatal, finding.mend) == (False, "sockets past 10000 are closed with 4129: raise live_replicas")


def test_a_short_line_before_the_door_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = capacity.Kernel(nofile_hard=20_000, ports=28_232, somaxconn=128)
    monkeypatch.setattr(capacity, "of_this_machine", lambda: machine)
    finding = _found(_settings(tmp_path), "backlog")
    assert (finding.fatal, "net.core.somaxconn=2048" in finding.mend) == (False, True)


def test_memory_for_many_sockets_is_asked_for(tmp_path: Path) -> None:
    finding = _found(structs.replace(_settings(tmp_path), sockets_max=2**26), "memory")
    assert f"with {2**26} sockets" in finding.mend


@pytest.mark.parametrize("url", ["localhost:6379", "redis://secret@h:port", "http://h"])
def test_an_address_that_is_no_redis_is_named_before_anything_starts(tmp_path: Path, url: str) -> None:
    settings = structs.replace(_settings(tmp_path), redis_url=url)
    with pytest.raises(preflight.Unfit, match=r"redis: .*write BOOND_REDIS_URL as redis://host:port") as unfit:
        preflight.insist(settings)
    assert "secret" not in str(unfit.value)
    preflight.insist(structs.replace(settings, redis_url="redis://:secret@127.0.0.1:6379/0"))


def test_without_haproxy_it_goes_on_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy, "find_binary", lambda _environment: None)
    found = preflight.insist(_settings(tmp_path))
    assert any(f.part == "front door" and "Python proxy" in f.found for f in found)


def test_without_the_wheel_a_postgres_of_ones_own_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.embedded.postgres_binaries.PACKAGE", "no_such_wheel")
    settings = _settings(tmp_path)
    with pytest.raises(preflight.Unfit, match="BOOND_POSTGRES_URL"):
        preflight.insist(settings)
    preflight.insist(Settings(data=settings.data, port=settings.port, postgres_url="postgresql://elsewhere/boond"))
