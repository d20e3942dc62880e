"""Transfers, locks and allocation in any order: nothing is lost, no stage below zero, a locked jar never pays out."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine import commands as c
from engine.behaviour import Refused
from engine.events import JarDeposited, TransactionChanged, TransactionRecorded, TransactionRefunded
from engine.ledger import jar_account
from engine.queries import GetAllocation
from engine.rewards.badge_catalogue import ROUND_UPS
from tests.support.person import Person

START = datetime(2026, 11, 2, 6, tzinfo=UTC)
STAGES = ("provisional", "accrued", "scheduled", "settled", "reserved")
PICK = st.integers(0, 99)


class JarMachine(RuleBasedStateMachine):
    """One person with up to eight jars; every command may be refused, none may break a promise."""

    @initialize()
    def open(self) -> None:
        self.at = START
        self.person = Person(c.OpenUser(auto_saving="on"), START)
        self.bought: list[str] = []
        self.saved = self.round_ups = 0
        for name in ("Goa", "Bike"):
            self.do(c.CreateJar(name=name, target_amount=3_000))
        for pick in range(3):
            self.do(c.DepositToJar(jar_id=self.jar(pick), amount=2_000))
            self.report("done")

    def do(self, command: c.Command) -> None:
        state = self.person.state
        before = {jar.jar_id: jar.saved for jar in state.jars.values() if jar.locked_at(self.at) is not None}
        try:
            turn = self.person.do(command, self.at)
        except Refused:
            return
        for jar_id, saved in before.items():
            assert jar_id in state.jars or saved == 0, "a locked jar that held money is gone"
            assert jar_id not in state.jars or state.jars[jar_id].saved >= saved, "a locked jar paid out"
        for event in turn.events:
            if isinstance(event, JarDeposited):
                self.saved += event.amount
            elif isinstance(event, TransactionRecorded | TransactionRefunded | TransactionChanged):
                self.saved += sum(part.amount for part in event.shares)
            if isinstance(event, TransactionRecorded):
                self.round_ups += event.round_up.amount > 0
                assert sum(part.amount for part in event.shares) == event.round_up.amount
                assert len({part.jar_id for part in event.shares}) == len(event.shares)

    def jar(self, pick: int) -> str:
        known = list(self.person.state.jars)
        return known[pick % len(known)]

    @rule(hours=st.integers(1, 24 * 20))
    def wait(self, hours: int) -> None:
        self.at += timedelta(hours=hours)
        self.person.wait(self.at)

    @rule(amount=st.integers(1, 9_999), times=st.integers(1, 4))
    def spend(self, amount: int, times: int) -> None:
        for _number in range(times):
            name = f"E{self.person.seq}"
            self.do(c.RecordTransaction(external_id=name, source="upi", amount=amount, currency="INR", category="food"))
            self.bought.append(name)

    @rule(pick=PICK, percent=st.integers(1, 100))
    def refund(self, pick: int, percent: int) -> None:
        if self.bought:
            self.do(
                c.RecordTransaction(
                    external_id=f"R{self.person.seq}",
                    source="upi",
                    amount=percent * 20,
                    currency="INR",
                    kind="refund",
                    original_external_id=self.bought[pick % len(self.bought)],
                )
            )

    @rule(pick=PICK, amount=st.integers(1, 4_000))
    def deposit(self, pick: int, amount: int) -> None:
        self.do(c.DepositToJar(jar_id=self.jar(pick), amount=amount))

    @rule(goal=st.sampled_from([None, 500, 5_000]), cap=st.booleans(), days=st.sampled_from([None, 2, 40]))
    def create(self, goal: int | None, cap: bool, days: int | None) -> None:
        deadline: date | None = None if days is None else self.at.date() + timedelta(days=days)
        if len(self.person.state.jars) < 8:
            self.do(c.CreateJar(name="Jar", target_amount=goal, cap_at_target=cap, deadline=deadline))

    @rule(pick=PICK, to=PICK)
    def delete(self, pick: int, to: int) -> None:
        self.do(c.DeleteJar(jar_id=self.jar(pick), move_to=self.jar(pick + to) if to % 3 else None))

    @rule(status=st.sampled_from(["done", "done", "failed"]))
    def report(self, status: Any) -> None:
        """Let the host tell of everything it was asked to move."""
        for instruction_id in list(self.person.state.settlement.open):
            self.do(c.ReportResult(instruction_id=instruction_id, status=status))

    @rule(pick=PICK, amount=st.integers(1, 900))
    def withdraw(self, pick: int, amount: int) -> None:
        self.do(c.RequestWithdrawal(jar_id=self.jar(pick), amount=amount))
        self.confirm("withdraw")

    def confirm(self, action: str) -> None:
        challenges = self.person.state.challenges.known
        if challenges:
            last = list(challenges)[-1]
            proof = self.person.outside.digest(last, self.person.outside.codes[-1])
            self.do(c.Confirm(challenge_id=last, proof=proof, action=action))

    @rule(pick=PICK, on=st.integers(1, 7), amount=st.integers(1, 900), locked=st.booleans())
    def transfer(self, pick: int, on: int, amount: int, locked: bool) -> None:
        source, target = self.locked(pick) if locked else self.jar(pick), self.jar(pick + on)
        room = self.person.state.jars[target].room
        seq = self.person.seq
        self.do(c.TransferToJar(jar_id=source, to_jar=target, amount=amount))
        assert self.person.seq == seq or room is None or amount <= room

    def locked(self, pick: int) -> str:
        """Return a jar that is locked, if one is."""
        known = [jar.jar_id for jar in self.person.state.jars.values() if jar.locked_at(self.at) is not None]
        return known[pick % len(known)] if known else self.jar(pick)

    @rule(pick=PICK, days=st.sampled_from([-1, 3, 90, 90, 3_000]))
    def lock(self, pick: int, days: int) -> None:
        self.do(c.LockJar(jar_id=self.jar(pick), until=(self.at + timedelta(days=days)).isoformat()))

    @rule(pick=PICK, confirmed=st.booleans(), cancelled=st.booleans())
    def unlock(self, pick: int, confirmed: bool, cancelled: bool) -> None:
        jar_id = self.locked(pick)
        if self.person.state.jars[jar_id].locked_at(self.at) is None:
            self.lock(pick, 90)
        self.do(c.AskUnlock(jar_id=jar_id))
        if confirmed:
            self.confirm("unlock_jar")
        if cancelled:
            self.do(c.CancelUnlock(jar_id=jar_id))

    @rule(mode=st.sampled_from(["percent", "percent", "deadline", "priority"]), parts=st.lists(PICK, max_size=4))
    def allocate(self, mode: Any, parts: list[int]) -> None:
        chosen = list(dict.fromkeys(self.jar(pick) for pick in parts))
        even = [100 // len(chosen)] * len(chosen) if chosen else []
        if even:
            even[0] += 100 - sum(even)
        shares = [
            c.AllocationPart(jar_id=jar_id, percent=part) if mode == "percent" else c.AllocationPart(jar_id=jar_id)
            for jar_id, part in zip(chosen, even, strict=True)
        ]
        self.do(c.SetAllocation(mode=mode, shares=shares if mode == "percent" else []))

    @invariant()
    def nothing_is_lost_and_no_stage_is_below_zero(self) -> None:
        state = self.person.state
        book = state.ledger.balances.get("INR", {})
        assert sum(book.values()) == 0
        for jar in state.jars.values():
            held = [state.ledger.balance(jar_account(jar.jar_id, stage), "INR") for stage in STAGES]
            assert min(held) >= 0
            assert sum(held) == jar.saved
        in_jars = sum(amount for account, amount in book.items() if account.startswith("jar:"))
        assert in_jars == sum(jar.saved for jar in state.jars.values())

    @invariant()
    def percents_sum_to_100_of_jars_that_are_there(self) -> None:
        state = self.person.state
        if state.allocation.mode == "percent":
            assert sum(state.allocation.percents.values()) == 100
            assert state.allocation.percents.keys() <= state.jars.keys()
        shown = self.person.ask(GetAllocation(), self.at)
        percents = [one["percent"] for one in shown["shares"]]
        assert percents == [None] * len(percents) if shown["mode"] == "priority" else sum(percents) == 100

    @invariant()
    def badges_count_every_saving_once_and_none_that_was_passed_is_missing(self) -> None:
        book = self.person.state.badges
        assert (book.saved, book.round_ups) == (self.saved, self.round_ups)
        earned = {f"round_ups_{mark}" for mark in ROUND_UPS if mark <= self.round_ups}
        assert earned <= book.earned.keys()
        assert "first_save" in book.earned

    @invariant()
    def a_lock_that_holds_has_its_timer(self) -> None:
        for jar in self.person.state.jars.values():
            if jar.locked_at(self.at) is not None:
                assert jar.locked_until is not None
                due = min(jar.locked_until, jar.unlocks_at or jar.locked_until)
                assert self.person.timers[f"lock:{jar.jar_id}"].due == due


JarMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestJarMachine = JarMachine.TestCase
