"""The `boond` command. Every heavy import waits until its command runs: `boond token` must not wait for Ray."""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from serve import settings
from serve.auth.errors import AuthError
from serve.settings import Settings

TOKEN_S = 86_400


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="boond", description="A real-time money engine. Settings: flags, then BOOND_*.")
    top.add_argument("--version", action="version", version=f"boond {settings.boond_version()}")
    commands = top.add_subparsers(dest="command", required=True)
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", help="folder of everything that lasts (default: data)")
    serving = argparse.ArgumentParser(add_help=False, parents=[data])
    serving.add_argument("--port", help="public port (default: 8000)")
    serving.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    serving.add_argument("--shards", help="shard processes (default: half the cores)")
    commands.add_parser("up", parents=[serving], help="start everything and serve until Ctrl-C")
    commands.add_parser("run", parents=[serving], help="as up, then replay wallet events through the public API")
    commands.add_parser("doctor", parents=[serving], help="say what is missing on this machine and how to mend it")
    commands.add_parser("migrate", parents=[data], help="bring the database schema up to date")
    demo = commands.add_parser("demo", parents=[data], help="replay wallet events against a running Boond")
    demo.add_argument("--url", default="http://127.0.0.1:8000")
    token = commands.add_parser("token", parents=[data], help="print an access token, alone on the last line")
    token.add_argument("--user", required=True, help="user id; with --count the ids are ID-0, ID-1, ...")
    token.add_argument("--role", default="user", choices=["user", "service", "admin"])
    token.add_argument("--count", type=_positive, help="print so many tokens, a line each")
    token.add_argument("--lifetime-s", type=int, default=TOKEN_S, help=f"seconds until it ends (default: {TOKEN_S})")
    rates = commands.add_parser("rates", help="exchange rates of foreign payments").add_subparsers(required=True)
    wanted = rates.add_parser("import", parents=[data], help="store rates from a CSV file; the same again does nothing")
    wanted.add_argument(
        "file", help="columns base,quote,day,rate, or as the ECB publishes: Date and a column a currency"
    )
    return top


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _settings(arguments: argparse.Namespace) -> Settings:
    return settings.load({name: getattr(arguments, name, None) for name in settings.FLAGS})


def _up(arguments: argparse.Namespace) -> int:
    from serve.up import up

    return up(_settings(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from serve.up import up

    chosen = _settings(arguments)

    def play() -> Callable[[], None]:
        command = [sys.executable, "-m", "serve.cli", "demo", "--url", chosen.url, "--data", str(chosen.data_folder)]
        demo = subprocess.Popen(command)
        return lambda: _end(demo)

    return up(chosen, when_ready=play)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Interrupt a child that still runs, as Ctrl-C does, and wait for it; kill one that does not care."""
    try:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _demo(arguments: argparse.Namespace) -> int:
    from serve.demo.play import main as play

    play(arguments.url, _settings(arguments).data_folder)
    return 0


def _token(arguments: argparse.Namespace) -> int:
    from serve.auth.keys import load_or_create
    from serve.auth.tokens import Issuer

    data = _settings(arguments).data_folder
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    issuer = Issuer(load_or_create(data / "keys"))
    users = [arguments.user] if arguments.count is None else [f"{arguments.user}-{i}" for i in range(arguments.count)]
    now = datetime.fromtimestamp(time.time(), UTC)
    print("\n".join(issuer.issue(u, now=now, lifetime_s=arguments.lifetime_s, role=arguments.role) for u in users))
    return 0


def _migrate(arguments: argparse.Namespace) -> int:
    from serve.embedded.postgres import EmbeddedPostgres
    from serve.embedded.run_folder import RunFolder, exclusive
    from serve.up import migrate

    chosen = _settings(arguments)
    if chosen.postgres_url:
        print(f"schema is at {migrate(chosen.postgres_url)}")
        return 0
    chosen.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = RunFolder(chosen.data_folder)
    with exclusive(chosen.data_folder):
        run.make()
        with EmbeddedPostgres(chosen.data_folder, run.postgres) as server:
            print(f"schema is at {migrate(server.url)}")
    return 0


def _rates(arguments: argparse.Namespace) -> int:
    from serve.rates import import_file

    print(import_file(_settings(arguments), Path(arguments.file)))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from serve.preflight import examine

    findings = examine(_settings(arguments))
    for finding in findings:
        mark = "ok  " if finding.is_well else ("FAIL" if finding.fatal else "warn")
        print(f"{mark} {finding.part}: {finding.found}" + (f"\n     {finding.mend}" if finding.mend else ""))
    return int(any(f.fatal and not f.is_well for f in findings))


_COMMANDS = {
    "up": _up,
    "run": _run,
    "demo": _demo,
    "token": _token,
    "migrate": _migrate,
    "doctor": _doctor,
    "rates": _rates,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 2 for a wrong setting, 1 for what else went wrong and was explained."""
    parsed = _parser().parse_args(arguments)
    try:
        return _COMMANDS[parsed.command](parsed)
    except settings.WrongSetting as error:
        print(f"boond: {error}", file=sys.stderr)
        return 2
    except (AuthError, RuntimeError, OSError, ValueError) as error:
        if os.environ.get("BOOND_LOG_LEVEL") == "debug":
            raise
        print(f"boond: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
