"""Deposits, payments, sweeps, withdrawals and the reports of the host in any order, twice: money is conserved."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from engine import commands as c
from engine.behaviour import Refused, Turn
from engine.events import InstructionClosed
from engine.jars.jars import STAGES
from engine.ledger import PROMISED, RETURNED, RETURNING, WALLET, check_balanced, jar_account
from tests.support.person import BEHAVIOUR, Person, replayed

START = datetime(2026, 11, 20, 6, tzinfo=UTC)
PICK = st.integers(0, 40)


class SettlementMachine(RuleBasedStateMachine):
    """One user beside a book that counts only what the host really moved."""

    @initialize(threshold=st.sampled_from([500, 10_000]))
    def open(self, threshold: int) -> None:
        self.at = START
        self.person = Person(c.OpenUser(auto_saving="on"), START)
        self.do(c.UpdateProfile(sweep_threshold=threshold))
        self.do(c.CreateJar(name="Goa", priority=1))
        self.spent = self.moved = 0
        self.ended: dict[str, str] = {}
        self.snapshot_at = 1

    def do(self, command: c.Command) -> bool:
        before = BEHAVIOUR.encode_state(self.person.state)
        self.at += timedelta(seconds=1)
        turn = self._carried_out(command)
        if turn is None:
            assert BEHAVIOUR.encode_state(self.person.state) == before
            return False
        for event in turn.events:
            check_balanced(getattr(event, "postings", ()))
            if isinstance(event, InstructionClosed):
                self.closed(event)
        assert BEHAVIOUR.answer(turn)
        assert BEHAVIOUR.push(turn)
        return True

    def _carried_out(self, command: c.Command) -> Turn | None:
        try:
            return self.person.do(command, self.at)
        except Refused:
            return None

    def closed(self, event: InstructionClosed) -> None:
        one = event.instruction
        assert one.instruction_id not in self.ended, "ended twice"
        self.ended[one.instruction_id] = one.status
        if one.status == "done":
            self.moved += one.amount if one.type == "debit" else -one.amount

    def jar(self, pick: int) -> str:
        known = self.person.state.jar_order
        return known[pick % len(known)]

    @rule(amount=st.integers(1, 30_000), pick=PICK)
    def deposit(self, amount: int, pick: int) -> None:
        self.do(c.DepositToJar(jar_id=self.jar(pick), amount=amount))

    @rule(amount=st.integers(1, 30_000), kind=st.sampled_from(["purchase", "purchase", "income"]))
    def pay(self, amount: int, kind: Any) -> None:
        name = f"E{self.person.seq}"
        if self.do(c.RecordTransaction(external_id=name, source="upi", amount=amount, currency="INR", kind=kind)):
            self.spent += -amount if kind == "income" else amount

    @rule(pick=PICK, part=st.integers(1, 100))
    def refund(self, pick: int, part: int) -> None:
        bought = [one for one in self.person.transactions.values() if one.kind == "purchase"]
        if bought:
            one = bought[pick % len(bought)]
            amount = max(1, one.amount * part // 100)
            command = c.RecordTransaction(
                external_id=f"R{self.person.seq}",
                source="upi",
                amount=amount,
                currency="INR",
                kind="refund",
                original_external_id=one.external_id,
            )
            if self.do(command):
                self.spent -= amount

    @rule(pick=PICK, status=st.sampled_from(["done", "done", "failed"]), again=st.booleans())
    def report(self, pick: int, status: Any, again: bool) -> None:
        known = [*self.person.state.settlement.open, *self.ended]
        if known:
            command = c.ReportResult(instruction_id=known[pick % len(known)], status=status)
            self.do(command)
            if again:
                self.do(command)

    @rule(amount=st.integers(1, 40_000), pick=PICK, times=st.integers(1, 2))
    def withdraw(self, amount: int, pick: int, times: int) -> None:
        """Ask `times` at once for what is there once, then confirm all."""
        asked = []
        for _ in range(times):
            if self.do(c.RequestWithdrawal(jar_id=self.jar(pick), amount=amount)):
                challenge_id = self.person.answer()["challenge_id"]
                proof = self.person.outside.digest(challenge_id, self.person.outside.codes[-1])
                asked.append(c.Confirm(challenge_id=challenge_id, proof=proof, action="withdraw"))
        for confirm in asked:
            if self.do(confirm):
                first = self.person.answer()
                assert self.do(confirm)
                assert self.person.answer() == first

    @rule(cap=st.sampled_from([700, 20_000, 2_000_000]), provider=st.sampled_from(["razorpay", "phonepe"]))
    def set_mandate(self, cap: int, provider: str) -> None:
        if self.do(c.SetMandate(provider=provider, cap=cap)) and "challenge_id" in self.person.answer():
            challenge_id = self.person.answer()["challenge_id"]
            proof = self.person.outside.digest(challenge_id, self.person.outside.codes[-1])
            self.do(c.Confirm(challenge_id=challenge_id, proof=proof, action="apply_mandate"))

    @rule()
    def end_mandate(self) -> None:
        mandate = self.person.state.settlement.mandate
        if mandate is not None:
            self.do(c.EndMandate(mandate_id=mandate.mandate_id))

    @rule(pick=PICK)
    def opt_out(self, pick: int) -> None:
        known = [*self.person.state.settlement.open, *self.ended]
        if known:
            self.do(c.OptOut(instruction_id=known[pick % len(known)]))

    @rule()
    def sweep(self) -> None:
        self.do(c.SweepNow())

    @rule(pick=PICK, to=PICK)
    def delete(self, pick: int, to: int) -> None:
        self.do(c.DeleteJar(jar_id=self.jar(pick), move_to=self.jar(to)))

    @rule()
    def turn_on(self) -> None:
        self.do(c.UpdateProfile(auto_saving=c.AutoSaving(state="on")))

    @rule(hours=st.integers(1, 24 * 10))
    def wait(self, hours: int) -> None:
        self.at += timedelta(hours=hours)
        for turn in self.person.wait(self.at):
            for event in turn.events:
                check_balanced(getattr(event, "postings", ()))
                if isinstance(event, InstructionClosed):
                    self.closed(event)

    @rule()
    def snapshot(self) -> None:
        self.snapshot_at = self.person.seq

    @invariant()
    def money_is_where_it_was_put(self) -> None:
        state = self.person.state
        book = state.ledger.balances.get("INR", {})
        assert sum(book.values()) == 0
        promised = 0
        for jar in state.jars.values():
            held = {stage: book.get(jar_account(jar.jar_id, stage), 0) for stage in STAGES}
            assert min(held.values()) >= 0, held
            assert jar.saved == sum(held.values())
            promised += held["provisional"] + held["accrued"] + held["scheduled"]
        assert book.get(PROMISED, 0) == -promised
        assert book.get(WALLET, 0) == -self.spent - self.moved
        jars = {f"jar:{jar_id}:" for jar_id in state.jars}
        assert all(any(name.startswith(jar) for jar in jars) for name in book if name.startswith("jar:"))

    @invariant()
    def what_waits_for_the_host_is_scheduled_or_reserved(self) -> None:
        state = self.person.state
        book = state.ledger.balances.get("INR", {})
        for kind, stage in (("debit", "scheduled"), ("payout", "reserved")):
            waiting = sum(one.amount for one in state.settlement.open.values() if one.type == kind)
            held = sum(amount for name, amount in book.items() if name.startswith("jar:") and name.endswith(stage))
            assert waiting == held + (book.get(RETURNING, 0) if kind == "payout" else 0)
        assert state.settlement.scheduled == sum(
            one.amount for one in state.settlement.open.values() if one.type == "debit"
        )

    @invariant()
    def nothing_that_accrued_waits_for_ever(self) -> None:
        settlement = self.person.state.settlement
        accrued = sum(
            amount
            for name, amount in self.person.state.ledger.balances.get("INR", {}).items()
            if name.endswith(":accrued")
        )
        owed = self.person.state.ledger.balance(RETURNED, "INR")
        assert owed >= 0
        assert not owed or "sweep" in self.person.timers or accrued
        assert (settlement.planned is None) == ("sweep" not in self.person.timers)
        announced = [one for one in settlement.open.values() if one.mandate_id is not None]
        assert not accrued or settlement.held or "sweep" in self.person.timers or announced

    @invariant()
    def a_mandate_has_one_debit_whose_next_step_is_sure(self) -> None:
        debits = [one for one in self.person.state.settlement.open.values() if one.mandate_id is not None]
        assert len(debits) <= 1
        for one in debits:
            assert one.amount <= 15_000_00
            assert one.submitted or f"debit:{one.instruction_id}" in self.person.timers
        waiting = {f"debit:{one.instruction_id}" for one in debits if not one.submitted}
        assert {timer for timer in self.person.timers if timer.startswith("debit:")} == waiting

    @override
    def teardown(self) -> None:
        if hasattr(self, "person"):
            assert replayed(self.person.bodies) == self.person.state
            assert replayed(self.person.bodies, snapshot_at=self.snapshot_at) == self.person.state


TestSettlementMachine = SettlementMachine.TestCase
TestSettlementMachine.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
