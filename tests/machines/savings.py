"""Savings in full: jars that are made, locked, emptied and deleted while the host is at work on their money."""

from datetime import timedelta
from random import Random

from hypothesis.stateful import rule

from engine.challenges import name_of
from engine.commands import (
    AskUnlock,
    CancelUnlock,
    Command,
    Confirm,
    CreateJar,
    DeleteJar,
    DepositToJar,
    LockJar,
    ReportResult,
    RequestWithdrawal,
    SetAllocation,
    SweepNow,
    TransferToJar,
)
from engine.ledger import jar_account
from tests.machines.base import CHANCE, Base
from tests.machines.second_factor import codes
from tests.machines.world import Member


class Savings(Base):
    """What is withdrawn was settled, what is settled was scheduled, what fails comes back."""

    @rule(random=CHANCE)
    def save(self, random: Random) -> None:
        """Jars, and money by hand."""
        member = random.choice(self.members)
        target = random.choice([None, 500, 9_000])
        self.tell(member, CreateJar(name="Jar", target_amount=target, cap_at_target=target == 500))
        for _ in range(random.randint(1, 3)):
            self.tell(member, DepositToJar(jar_id=self._jar(random, member), amount=random.randint(1, 9_000)))
        if random.random() < 0.3:
            self.tell(member, SetAllocation(mode=random.choice(["priority", "deadline"])))

    @rule(random=CHANCE)
    def report(self, random: Random) -> None:
        """The host says what became of what it was asked, twice, in any order, or otherwise the second time."""
        member = random.choice(self.members)
        for instruction_id in random.sample(list(member.state.settlement.open), len(member.state.settlement.open)):
            for _ in range(random.randint(0, 2)):
                if random.random() < 0.7:
                    self.tell(member, ReportResult(instruction_id=instruction_id, status="done"))
                else:
                    self.tell(member, ReportResult(instruction_id=instruction_id, status="failed", reason="no funds"))

    @rule(random=CHANCE)
    def move(self, random: Random) -> None:
        """Money between jars, out of them, and jars that go with what they hold."""
        member = random.choice(self.members)
        for _ in range(random.randint(1, 3)):
            jar_id = self._jar(random, member)
            held = self._settled(member, jar_id)
            amount = max(1, random.choice([held, held + 1, held // 2, 50]))
            other = self._jar(random, member)
            commands: list[Command] = [
                TransferToJar(jar_id=jar_id, to_jar=other, amount=amount),
                RequestWithdrawal(jar_id=jar_id, amount=amount),
                RequestWithdrawal(jar_id=jar_id, amount=amount),
                DeleteJar(jar_id=jar_id, move_to=random.choice([None, other, other])),
                SweepNow(),
            ]
            self.tell(member, random.choice(commands))

    @rule(random=CHANCE)
    def withdraw_the_last_twice(self, random: Random) -> None:
        """Two withdrawals of everything, both with a right code: one wins."""
        member = random.choice(self.members)
        for instruction_id in list(member.state.settlement.open):
            self.tell(member, ReportResult(instruction_id=instruction_id, status="done"))
        jar_id = max(member.state.jars, key=lambda known: self._settled(member, known))
        held = self._settled(member, jar_id)
        before = len(member.state.settlement.open)
        for _ in range(2):
            self.tell(member, RequestWithdrawal(jar_id=jar_id, amount=max(1, held)))
        for challenge_id, code in list(codes(member).items())[-2:]:
            known = member.state.challenges.known.get(challenge_id)
            if known is not None:
                proof = member.outside.digest(challenge_id, code)
                self.tell(member, Confirm(challenge_id=challenge_id, proof=proof, action=name_of(known.action)))
        payouts = [one for one in list(member.state.settlement.open.values())[before:] if one.type == "payout"]
        assert sum(part.amount for one in payouts for part in one.parts if part.jar_id == jar_id) <= held

    @rule(random=CHANCE)
    def lock(self, random: Random) -> None:
        """A lock, and the way out of it: code, a day, or a change of mind."""
        member = random.choice(self.members)
        jar_id = self._jar(random, member)
        until = self.at + timedelta(days=random.choice([1, 3, 400]))
        self.tell(member, LockJar(jar_id=jar_id, until=until.isoformat()))
        if random.random() < 0.5:
            self.tell(member, AskUnlock(jar_id=jar_id))
        if random.random() < 0.3:
            self.tell(member, CancelUnlock(jar_id=jar_id))

    @staticmethod
    def _jar(random: Random, member: Member) -> str:
        settled = [jar_id for jar_id in member.state.jars if Savings._settled(member, jar_id)]
        return random.choice(settled if settled and random.random() < 0.6 else list(member.state.jars))

    @staticmethod
    def _settled(member: Member, jar_id: str) -> int:
        return member.state.ledger.balance(jar_account(jar_id, "settled"), member.state.profile.currency)
