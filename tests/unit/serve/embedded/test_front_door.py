import json
import subprocess
import sys
from pathlib import Path

from serve.embedded import haproxy, haproxy_wrapper
from serve.embedded.haproxy_wrapper import problem_page, safe_configuration
from serve.embedded.run_folder import RunFolder
from serve.live.limits import Limits

WRITTEN_BY_SERVE = """global
    log 127.0.0.1:514 local0 info
    maxconn 9800
defaults
    option httplog
    option splice-request
    option splice-response
    errorfile 502 PAGE
    errorfile 503 PAGE
frontend prometheus
    bind :9101
frontend http_frontend
    bind *:8000
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain lf-string "Path \\'%[path]\\' not found."
backend http-api
    server SERVE_REPLICA-1 127.0.0.1:30000 check observe layer4 error-limit 3 on-error mark-down
    # Fallback to head node's Serve proxy when no ingress replicas are available
    server SERVE_PROXY 127.0.0.1:8500 check backup
listen stats
  bind *:8404
  stats enable
"""


def test_statistics_and_metrics_have_no_door_and_hold_no_port_and_the_public_one_is_left() -> None:
    lines = [line.strip() for line in safe_configuration(WRITTEN_BY_SERVE).splitlines()]
    assert [line for line in lines if line.startswith("bind")] == ["bind *:8000"]
    assert not [line for line in lines if "prometheus" in line or "stats" in line]


def test_no_request_waits_at_the_fallback_proxy() -> None:
    text = safe_configuration(WRITTEN_BY_SERVE)
    assert "SERVE_REPLICA-1" in text
    assert "check backup" not in text


def test_a_path_without_an_application_is_a_503_too_as_the_applications_are_still_starting() -> None:
    text = safe_configuration(WRITTEN_BY_SERVE)
    assert "    http-request deny deny_status 503\n" in text
    assert "404" not in text


def test_a_connection_costs_two_file_descriptors_and_no_datagram() -> None:
    text = safe_configuration(WRITTEN_BY_SERVE)
    assert "splice" not in text
    assert "514" not in text
    assert "option httplog" in text


def test_requests_are_not_watched_for_a_client_that_goes_away_but_sockets_are() -> None:
    lines = safe_configuration(WRITTEN_BY_SERVE).splitlines()
    marked = [at for at, line in enumerate(lines) if "x-request-disconnect-disabled ?1" in line]
    assert marked == [lines.index("    bind *:8000") + 1]
    assert lines[marked[0]].endswith("unless { hdr(upgrade) -m found }")


def test_a_replica_is_told_whose_request_it_is() -> None:
    defaults = safe_configuration(WRITTEN_BY_SERVE).partition("defaults\n")[2].partition("frontend")[0]
    assert defaults.splitlines().count("    option forwardfor") == 1


def test_making_it_safe_twice_changes_nothing() -> None:
    once = safe_configuration(WRITTEN_BY_SERVE)
    assert safe_configuration(once) == once


def test_a_client_that_sends_slowly_is_cut_off_before_it_holds_a_replica() -> None:
    defaults = safe_configuration(WRITTEN_BY_SERVE).partition("defaults\n")[2].partition("frontend")[0]
    assert "    timeout http-request 10s\n" in defaults
    assert "    option http-buffer-request\n" in defaults


def test_a_body_that_comes_too_slowly_is_answered_by_a_problem_document_too() -> None:
    status = 408
    head, _, body = problem_page(status).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["status"] == status
    assert f"    errorfile {status} /pages/{status}.http\n" in safe_configuration(
        WRITTEN_BY_SERVE.replace("PAGE", "/pages/500.http")
    )


def test_its_own_error_is_a_problem_document_with_retry_after() -> None:
    head, _, body = problem_page().partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    headers = dict(field.lower().split(": ") for field in fields)
    assert status == "HTTP/1.1 503 Service Unavailable"
    assert headers["content-type"] == "application/problem+json"
    assert headers["retry-after"] == "1"
    assert int(headers["content-length"]) == len(body)
    assert json.loads(body)["status"] == 503


def test_the_wrapper_rewrites_what_serve_wrote_and_becomes_the_binary(tmp_path: Path) -> None:
    page, configuration = tmp_path / "500.http", tmp_path / "haproxy.cfg"
    page.write_text("HTTP/1.1 500 Internal Server Error\r\n\r\n")
    configuration.write_text(WRITTEN_BY_SERVE.replace("PAGE", str(page)))
    ran = subprocess.run(
        [sys.executable, "-I", haproxy_wrapper.__file__, "-db", "-f", str(configuration)],
        env={haproxy_wrapper.BINARY_VARIABLE: "/bin/echo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["-db", "-f", str(configuration)]
    assert page.read_bytes() == problem_page()
    assert (tmp_path / "408.http").read_bytes() == problem_page(408)
    assert "8404" not in configuration.read_text()


def test_a_front_door_that_was_replaced_keeps_its_sockets_until_each_has_been_let_go(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.make()
    variables = haproxy.front_door_environment(run, "/bin/true", 9_800)
    run.remove()
    assert variables["RAY_SERVE_HAPROXY_MAXCONN"] == "9800"
    assert int(variables["RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"]) > Limits().life_s + 600
    assert float(variables["RAY_SERVE_PORT_QUARANTINE_S"]) < 300


def test_two_instances_get_different_ports_and_files(tmp_path: Path) -> None:
    runs = [RunFolder(tmp_path / name) for name in "ab"]
    for run in runs:
        run.make()
    first, second = (haproxy.front_door_environment(run, "/bin/true", 9_800) for run in runs)
    for run in runs:
        run.remove()
    alike = {name for name in first if first[name] == second[name]}
    own = {name for name in first if "_PORT" in name or "PATH" in name or "FILE" in name}
    # Where replicas begin to look for a port may coincide: they look on.
    assert not {
        name for name in own & alike if not name.endswith(("_S", "IMPORT_PATH")) and "DIRECT_INGRESS" not in name
    }


def test_without_a_binary_serves_python_proxy_is_used(tmp_path: Path) -> None:
    assert haproxy.front_door_environment(RunFolder(tmp_path), None, 9_800)["RAY_SERVE_ENABLE_HA_PROXY"] == "0"
