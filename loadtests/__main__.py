"""`python -m loadtests SCENARIO`: a load test. Exit code 1: a threshold was missed; 2: it could not be run."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from loadtests.books import NotRead
from loadtests.conductor import Conduct, Conductor
from loadtests.instance import Instance, InstanceFailed, own
from loadtests.scenarios import SCENARIOS, chosen
from loadtests.workers import WorkerFailed


def _limit(text: str) -> tuple[str, float]:
    metric, _, limit = text.partition("=")
    return metric, float(limit)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    parser.add_argument("scenario", choices=list(SCENARIOS))
    parser.add_argument("--users", type=int, help="people with a socket in the holder")
    parser.add_argument("--phones", type=int, help="people with a whole journey in Locust")
    parser.add_argument("--rate", type=float, help="events of wallets a second")
    parser.add_argument("--duration", type=float, help="measured seconds")
    parser.add_argument("--warmup", type=float, help="seconds before anything is measured")
    parser.add_argument("--zipf", type=float, help="exponent of the users' skew; 0: all alike")
    parser.add_argument("--single-share", type=float, help="share of events that come one a request")
    parser.add_argument("--storm", type=int, help="sockets dropped at once")
    parser.add_argument("--feed", action=argparse.BooleanOptionalAction, help="read and check GET /feed")
    parser.add_argument("--url", help="a Boond that runs; without it one of our own is started and stopped")
    parser.add_argument("--data", type=Path, help="its data folder, for tokens and kills; needed with --url")
    parser.add_argument("--report", type=Path, default=Path("load-report"), help="folder of the report")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same schedule, users and events")
    parser.add_argument("--holders", type=int, default=1, help="processes that hold sockets")
    parser.add_argument("--nice", type=int, default=5, help="niceness of the generator's processes")
    parser.add_argument("--slow", type=float, default=1.0, help="factor on every time of the thresholds")
    parser.add_argument("--limit", type=_limit, action="append", default=[], help="METRIC=NUMBER: another threshold")
    return parser.parse_args(given)


def _conduct(arguments: argparse.Namespace) -> Conduct:
    scenario = chosen(
        arguments.scenario,
        users=arguments.users,
        phones=arguments.phones,
        rate=arguments.rate,
        duration_s=arguments.duration,
        warmup_s=arguments.warmup,
        zipf=arguments.zipf,
        single_share=arguments.single_share,
        storm=arguments.storm,
        feed=arguments.feed,
    )
    folder: Path = arguments.report.resolve() / f"{scenario.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    return Conduct(
        scenario=scenario,
        folder=folder,
        seed=arguments.seed,
        holders=arguments.holders,
        nice=arguments.nice,
        slow=arguments.slow,
        limits=dict(arguments.limit),
    )


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(given: Sequence[str] | None = None) -> int:
    """Run a scenario; returns the exit code."""
    arguments = _arguments(given)
    # What was started is stopped on the way out, also when a process manager ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        conduct = _conduct(arguments)
        if arguments.url and not arguments.data:
            raise ValueError("--url needs --data: the folder of that Boond, for tokens")
        conduct.folder.mkdir(parents=True)
        with ExitStack() as stack:
            if arguments.url:
                instance = Instance(arguments.url, arguments.data.resolve())
            else:
                say("starting boond up on a temporary folder")
                instance = stack.enter_context(own(conduct.folder / "boond.log"))
            _, missed = Conductor(conduct, instance, say).run()
    except (InstanceFailed, WorkerFailed, NotRead, ValueError, OSError) as error:
        sys.stderr.write(f"loadtests: {error}\n")
        return 2
    say(f"report: {conduct.folder / 'index.html'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
