"""Conducts one run: sockets first, then the load, what is done to it meanwhile, and the reconciliation."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from loadtests import plan, report, thresholds
from loadtests.books import Reader, fed, heard_by_holder, heard_by_phones
from loadtests.crowd import Storm
from loadtests.holder import Command, Report
from loadtests.instance import Instance
from loadtests.outcomes import Outcomes, read_acks, read_outcomes
from loadtests.reconcile import Ack, Findings, Heard, reconcile
from loadtests.run import BEGUN
from loadtests.scenarios import Scenario
from loadtests.usage import Meter, Use
from loadtests.workers import HolderProcess, LocustProcess

_OPEN_S, _SETTLE_S, _LOCUST_S = 60.0, 40.0, 120.0
Say = Callable[[str], None]


class Conduct(Struct, frozen=True, kw_only=True):
    """How a run is done, beside its scenario."""

    scenario: Scenario
    folder: Path
    """Where the report goes, and what the processes of the run leave."""
    seed: int = 1
    holders: int = 1
    nice: int = 5
    slow: float = 1.0
    limits: Mapping[str, float] = {}


class Conductor:
    """One run against one instance."""

    def __init__(self, conduct: Conduct, instance: Instance, say: Say) -> None:
        self.conduct, self.scenario, self.instance, self.say = conduct, conduct.scenario, instance, say
        self.run_id = secrets.token_hex(3)
        self.notes: list[str] = []
        self.metrics: dict[str, float] = {}
        self._stack = ExitStack()
        self._holders: list[HolderProcess] = []
        self._outcomes = Outcomes()
        self._findings = Findings()
        self._reports: list[Report] = []
        self._usage: list[Use] = []

    def run(self) -> tuple[report.Result, list[thresholds.Miss]]:
        """Do it all; return the result and the thresholds it missed. The processes of the generator are ended."""
        lines = thresholds.table(self.scenario, self.conduct.slow, self.conduct.limits)
        with self._stack:
            planned = self._prepare()
            self._open(planned)
            self._load(planned)
            self._reconcile(planned)
        result = self._result()
        missed = thresholds.misses(lines, result.metrics)
        result.missed = [str(miss) for miss in missed]
        for line in report.write(self.conduct.folder, result, lines, missed):
            self.say(line)
        return result, missed

    def _prepare(self) -> plan.Plan:
        scenario, folder = self.scenario, self.conduct.folder
        name = f"lt{self.run_id}"
        tokens = self.instance.tokens(name, scenario.users + scenario.phones)
        listed = folder / "tokens.txt"
        listed.write_text("".join(f"{name}-{n} {token}\n" for n, token in enumerate(tokens)), encoding="utf-8")
        listed.chmod(0o600)
        service = self.instance.tokens(f"{name}-wallet", role="service")[0]
        planned = plan.Plan(
            url=self.instance.url,
            scenario=scenario,
            run_id=self.run_id,
            seed=self.conduct.seed,
            folder=str(folder),
            tokens=str(listed),
            service_token=service,
            feed_from=asyncio.run(_end_of_feed(self.instance.url, service)) if scenario.feed else "",
        )
        plan.save(planned)
        self._stack.callback(_forget, folder)
        return planned

    def _open(self, planned: plan.Plan) -> None:
        """Open every socket before anything is sent."""
        scenario, conduct = self.scenario, self.conduct
        users = planned.users()[: scenario.users]
        for number in range(conduct.holders):
            mine = users[number :: conduct.holders]
            seed = conduct.seed * 1_000 + number
            holder = HolderProcess(
                conduct.folder, number, self.instance.url, mine, scenario.weather, seed, conduct.nice
            )
            self._stack.callback(holder.end)
            self._holders.append(holder)
        began = time.monotonic()
        for holder in self._holders:
            rate = scenario.open_per_s / conduct.holders
            holder.send(Command(do="open", sockets=holder.sockets, rate=rate, within_s=_OPEN_S))
        opened = sum(msgspec.json.decode(holder.answer(), type=int) for holder in self._holders)
        self.metrics["sockets_open_share"] = opened / scenario.users
        self._note(f"{opened} of {scenario.users} sockets opened in {time.monotonic() - began:.1f} s")

    def _load(self, planned: plan.Plan) -> None:
        scenario, conduct = self.scenario, self.conduct
        wallets = (scenario.single_share > 0.0) + (scenario.single_share < 1.0)
        users = wallets + scenario.phones + scenario.watchers + scenario.feed
        seconds = scenario.warmup_s + scenario.duration_s
        path, html = conduct.folder / "plan.json", conduct.folder / "locust.html"
        locust = LocustProcess(path, users, seconds + 4, html, conduct.nice)
        self._stack.callback(locust.end)
        measure_from_ns = int(locust.wait_for(planned.file(BEGUN), _LOCUST_S))
        for holder in self._holders:
            holder.send(Command(do="measure", from_ns=measure_from_ns))
            holder.answer()
        meter = Meter(lambda: self._processes(locust))
        _sleep_until(measure_from_ns)
        meter.start()
        self._trouble(measure_from_ns)
        _sleep_until(measure_from_ns + int(scenario.duration_s * 1e9))
        self._usage = meter.stop()
        locust.wait(_LOCUST_S)
        self._outcomes = read_outcomes(conduct.folder)

    def _trouble(self, from_ns: int) -> None:
        """Do to it what the scenario says: a storm in the middle, kills spread over the run."""
        scenario = self.scenario
        if scenario.storm:
            _sleep_until(from_ns + int(scenario.duration_s * 0.4 * 1e9))
            self._storm()
        for number, part in enumerate(scenario.kills, 1):
            _sleep_until(from_ns + int(scenario.duration_s * number / (len(scenario.kills) + 1) * 1e9))
            pid = self.instance.kill(part)
            self.metrics["kills"] = number
            self._note(f"killed {part}, process {pid}")

    def _storm(self) -> None:
        sockets = self.scenario.storm // len(self._holders)
        for holder in self._holders:
            holder.send(Command(do="storm", sockets=sockets))
        storms = [msgspec.json.decode(holder.answer(), type=Storm) for holder in self._holders]
        dropped, returned = sum(storm.dropped for storm in storms), sum(storm.returned for storm in storms)
        self.metrics["storm_s"] = max(storm.seconds for storm in storms)
        self.metrics["storm_returned_share"] = returned / dropped if dropped else 0.0
        self._note(f"storm: {returned} of {dropped} sockets back in {self.metrics['storm_s']:.1f} s")

    def _reconcile(self, planned: plan.Plan) -> None:
        """Bring every listener to what was acknowledged, read the journal, bring it to that, and compare."""
        acks = read_acks(self.conduct.folder)
        began = time.monotonic()
        behind = self._settle(_targets(acks))
        self._note(f"{behind} listeners behind what was acknowledged after {time.monotonic() - began:.1f} s")
        users = dict(planned.users())
        journal, rest = asyncio.run(_read(planned, self._outcomes.feed_from))
        self._settle({user: turns[-1][0] for user, turns in journal.items() if turns})
        heard: list[Heard] = heard_by_phones(self.conduct.folder, self._outcomes)
        for holder in self._holders:
            stopped = holder.stop()
            self._reports.append(stopped)
            heard += heard_by_holder(holder.log, stopped.positions)
        feed = fed(self.conduct.folder, rest, users) if self.scenario.feed else None
        self._findings = reconcile(acks, journal, heard, feed)

    def _settle(self, targets: Mapping[str, int]) -> int:
        for holder in self._holders:
            holder.send(Command(do="settle", targets=dict(targets), within_s=_SETTLE_S))
        return sum(msgspec.json.decode(holder.answer(), type=int) for holder in self._holders)

    def _result(self) -> report.Result:
        found = report.metrics(self.scenario, self._findings, self._outcomes, self._reports)
        times = report.latencies(self._outcomes, self._reports)
        return report.Result(
            scenario=self.scenario,
            run_id=self.run_id,
            seed=self.conduct.seed,
            metrics={**found, **self.metrics},
            latency={name: histogram.figures() for name, histogram in times.items()},
            findings=self._findings,
            outcomes=self._outcomes,
            holders=self._reports,
            usage=self._usage,
            notes=self.notes,
        )

    def _processes(self, locust: LocustProcess) -> dict[int, tuple[str, psutil.Process]]:
        found = {process.pid: (self.instance.part(process), process) for process in self.instance.processes()}
        ours = {os.getpid(): "the runner", locust.process.pid: "Locust"}
        ours |= {holder.process.pid: "holder" for holder in self._holders}
        return found | {pid: (part, psutil.Process(pid)) for pid, part in ours.items() if psutil.pid_exists(pid)}

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.say(text)


def _targets(acks: list[Ack]) -> dict[str, int]:
    targets: dict[str, int] = {}
    for ack in acks:
        targets[ack.user] = max(ack.seq, targets.get(ack.user, 0))
    return targets


async def _end_of_feed(url: str, token: str) -> str:
    async with Reader(url, token) as reader:
        return await reader.end_of_feed()


async def _read(
    planned: plan.Plan, feed_from: str
) -> tuple[dict[str, list[tuple[int, str | None]]], list[tuple[str, int]]]:
    async with Reader(planned.url, planned.service_token) as reader:
        journal = await reader.turns_of_all(user for user, _ in planned.users())
        rest = await reader.feed_from(feed_from or planned.feed_from) if planned.scenario.feed else []
    return journal, rest


def _sleep_until(at_ns: int) -> None:
    if (early_ns := at_ns - time.monotonic_ns()) > 0:
        time.sleep(early_ns / 1e9)


def _forget(folder: Path) -> None:
    """Remove the tokens of a run from its folder: a report is shown around."""
    for secret in (folder / "plan.json", *folder.glob("tokens*.txt")):
        secret.unlink(missing_ok=True)
