"""Holds thousands of sockets in one lean process, checks what they are sent, and reports it as JSON.

By hand:      python -m loadtests.holder --url http://127.0.0.1:8000 --tokens FILE --sockets 7000 --seconds 60
With storms:  ... --storm 3000 --storm-at 20
By a program: ... --commands reads one JSON object a line from standard input and answers each with one:
              {"do": "open", "sockets": N, "rate": R} {"do": "storm", "sockets": N, "jitter_s": 2}
              {"do": "measure", "from_ns": events due before are not timed}
              {"do": "settle", "targets": {"user": seq}, "within_s": 35} {"do": "report"} {"do": "stop"}

FILE has a line a user: `user token`, or the token alone, as `boond token --count` prints them.
"""

import argparse
import asyncio
import contextlib
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import msgspec
import uvloop

from loadtests.crowd import Crowd, Holding
from loadtests.lines import Weather
from loadtests.listening import Tally

_SPARE_DESCRIPTORS = 64


class Command(msgspec.Struct, frozen=True):
    """One line of standard input."""

    do: str
    sockets: int = 0
    rate: float = 300.0
    jitter_s: float = 2.0
    within_s: float = 60.0
    targets: dict[str, int] = {}
    from_ns: int = 0


class Report(msgspec.Struct, frozen=True):
    """What one holder saw. `cpu_s` is its own; `positions`, when asked for, are `[user, start, seq]` a listener."""

    sockets: int
    open: int
    seconds: float
    cpu_s: float
    rss_bytes: int
    tally: Tally
    figures: dict[str, dict[str, float | int | None]]
    positions: list[tuple[str, int, int]] = []


def read_tokens(path: Path) -> tuple[tuple[str, str], ...]:
    """Return (user, token) of each line. Raises `ValueError` when there is none."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path} has no token: write one a line, as `boond token --count N` prints them")
    return tuple((words[0] if len(words) > 1 else str(number), words[-1]) for number, words in enumerate(lines))


def allow_descriptors(sockets: int) -> None:
    """Raise the soft limit of open files to what is needed. Raises `OSError` when the hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + _SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise OSError(f"{sockets} sockets need {wanted} open files, the hard limit here is {hard}: raise `ulimit -Hn`")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Holder:
    """Carries out commands on a crowd."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self._began = time.monotonic()
        self._do: dict[str, Callable[[Command], Awaitable[Any]]] = {
            "open": lambda c: crowd.open(c.sockets, c.rate, c.within_s),
            "storm": lambda c: crowd.storm(c.sockets, c.jitter_s, c.within_s),
            "settle": lambda c: crowd.settle(c.targets, c.within_s),
            "measure": self._measure,
            "report": self._report,
            "stop": self._stop,
        }

    async def carry_out(self, command: Command) -> Any:
        """Do it, return the answer. Raises `ValueError` on an unknown one."""
        act = self._do.get(command.do)
        if act is None:
            raise ValueError(f"do is {command.do!r}: expected one of {', '.join(self._do)}")
        return await act(command)

    def report(self, *, with_positions: bool = False) -> Report:
        """Return what was seen so far."""
        used, tally = resource.getrusage(resource.RUSAGE_SELF), self.crowd.tally
        where = [(one.user, one.position.start, one.position.seq) for one in self.crowd.listeners]
        return Report(
            sockets=len(self.crowd.listeners),
            open=self.crowd.open_count,
            seconds=round(time.monotonic() - self._began, 3),
            cpu_s=round(used.ru_utime + used.ru_stime, 3),
            rss_bytes=used.ru_maxrss * 1024,
            tally=tally,
            figures={name: getattr(tally, name).figures() for name in ("push", "caught_up", "entry", "back", "stalls")},
            positions=where if with_positions else [],
        )

    async def _measure(self, command: Command) -> None:
        self.crowd.tally.measure_from_ns = command.from_ns

    async def _report(self, _command: Command) -> Report:
        return self.report()

    async def _stop(self, _command: Command) -> Report:
        report = self.report(with_positions=True)
        await self.crowd.close()
        return report


async def obey(holder: Holder, commands: asyncio.StreamReader, answers: TextIO) -> None:
    """Carry out a command a line until `stop` or the end of the input."""
    while line := await commands.readline():
        command = msgspec.json.decode(line, type=Command)
        answer = {"did": command.do, "answer": await holder.carry_out(command)}
        answers.write(msgspec.json.encode(answer).decode() + "\n")
        answers.flush()
        if command.do == "stop":
            return
    await holder.crowd.close()


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def hold(holder: Holder, arguments: argparse.Namespace) -> dict[str, Any]:
    """Open, hold, storm once if told to; return the report with what the storm took."""
    crowd = holder.crowd
    opened = await crowd.open(arguments.sockets, arguments.rate)
    answer: dict[str, Any] = {"opened": opened}
    held_s: float = arguments.seconds
    if arguments.storm:
        await asyncio.sleep(min(arguments.storm_at, held_s))
        answer["storm"] = await crowd.storm(arguments.storm, arguments.jitter_s)
        held_s -= arguments.storm_at
    await asyncio.sleep(max(0.0, held_s))
    answer["report"] = holder.report()
    await crowd.close()
    return answer


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.holder", description=__doc__)
    parser.add_argument("--url", required=True, help="base URL, or a whole ws:// URL")
    parser.add_argument("--tokens", required=True, type=Path)
    parser.add_argument("--sockets", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=300.0, help="sockets opened a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to hold them")
    parser.add_argument("--storm", type=int, default=0, help="sockets to drop at once")
    parser.add_argument("--storm-at", type=float, default=5.0, help="seconds after all are open")
    parser.add_argument("--jitter-s", type=float, default=2.0, help="over how long the dropped come back")
    parser.add_argument("--seed", type=int, default=1)
    for line in ("goes", "resets", "lags", "silent"):
        parser.add_argument(f"--{line}", type=float, default=0.0, help=f"share of lines that are such (see {line})")
    parser.add_argument("--every-s", type=float, default=20.0, help="mean seconds between two misbehaviours of a line")
    parser.add_argument("--log", type=Path, help="write every pushed turn here: index, seq, external id")
    parser.add_argument("--commands", action="store_true", help="take commands from standard input")
    return parser.parse_args(given)


async def _run(arguments: argparse.Namespace, log: TextIO | None) -> None:
    weather = Weather(arguments.goes, arguments.resets, arguments.lags, arguments.silent, arguments.every_s)
    tokens = read_tokens(arguments.tokens)
    holder = Holder(Crowd(Holding(url=arguments.url, tokens=tokens, weather=weather, seed=arguments.seed), log))
    if arguments.commands:
        await obey(holder, await _standard_input(), sys.stdout)
    else:
        allow_descriptors(arguments.sockets)
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(await hold(holder, arguments))).decode() + "\n")


def main(given: Sequence[str] | None = None) -> int:
    """Run a holder; returns the exit code."""
    arguments = _arguments(given)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(arguments.log.open("w", encoding="utf-8")) if arguments.log else None
        try:
            if arguments.commands:
                allow_descriptors(arguments.sockets)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(arguments, log))
        except (OSError, ValueError) as error:
            sys.stderr.write(f"holder: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
