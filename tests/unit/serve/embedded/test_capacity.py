import resource

import pytest

from serve.embedded import capacity
from serve.embedded.capacity import Kernel, connections_max, replica_sockets_max

PORTS = 28_232


def kernel(nofile_hard: int, ports: int = PORTS) -> Kernel:
    return Kernel(nofile_hard=nofile_hard, ports=ports, somaxconn=4_096)


@pytest.mark.parametrize(
    ("wanted", "hard", "ports", "got"),
    [
        (0, 20_000, PORTS, 9_800),
        (0, 10**6, PORTS, 20_000),
        (5_000, 20_000, PORTS, 5_000),
        (0, 20_000, 1_000, 2_000),
        (56_000, 10**6, PORTS, 56_000),
    ],
)
def test_connections_follow_open_files_and_the_ports_of_two_replicas(
    wanted: int, hard: int, ports: int, got: int
) -> None:
    assert connections_max(wanted, kernel(hard, ports), replicas=2) == got


@pytest.mark.parametrize(("wanted", "hard"), [(9_801, 20_000), (0, 500)])
def test_more_connections_than_the_limit_carries_are_refused_before_haproxy_does(wanted: int, hard: int) -> None:
    with pytest.raises(capacity.TooManySockets, match="ulimit -Hn"):
        connections_max(wanted, kernel(hard), replicas=1)


def test_more_connections_than_there_are_ports_to_the_replicas_are_refused() -> None:
    with pytest.raises(capacity.TooManySockets, match=r"28232 ports to each of 1 replicas.*ip_local_port_range"):
        connections_max(PORTS + 1, kernel(10**6), replicas=1)


@pytest.mark.parametrize(("nofile", "got"), [(20_000, 10_000), (4_096, 3_096), (10**6, 10_000), (500, 0)])
def test_a_replica_keeps_files_for_everything_but_sockets(nofile: int, got: int) -> None:
    assert replica_sockets_max(nofile, 10_000) == got


def test_more_than_ray_lets_a_replica_open_is_not_counted_on() -> None:
    assert replica_sockets_max(10**6, 10**6) == 65_536 - capacity.REPLICA_FILES


def test_this_machine_says_what_it_grants() -> None:
    """On the real kernel: the numbers are its own, and a front door of that size can be started."""
    machine = capacity.of_this_machine()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert machine.nofile_hard in (hard, 1_000_000)
    assert capacity.nofile_soft() <= machine.nofile_hard
    assert 1_000 < machine.ports < 65_536
    assert machine.somaxconn > 0
    assert 2 * connections_max(0, machine, 1) + capacity.FRONT_DOOR_FILES <= machine.nofile_hard
