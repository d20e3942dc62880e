"""The life of payments: reports of one id in any order, parts, revisions, refunds before and after, edits."""

from random import Random
from typing import Any

from hypothesis.stateful import rule

from engine.commands import AMOUNT_MAX, EditTransaction, Kind, RecordTransaction, Status
from tests.machines.base import CHANCE, Base
from tests.machines.world import Member

STATUSES: list[Status] = ["pending", "authorised", "settled", "reversed", "declined", "voided", "expired"]
KINDS: list[Kind] = ["purchase", "purchase", "purchase", "p2p", "cash", "fee", "repayment", "transfer", "income"]
ORIGINS = ["user", "service:bank"]


class Payments(Base):
    """Every report is one a provider might send, though not in the order it should."""

    @rule(random=CHANCE)
    def shop(self, random: Random) -> None:
        """Settled spends, the everyday case."""
        member = random.choice(self.members)
        for _ in range(random.randint(1, 6)):
            self.ids += 1
            self.tell(member, self._report(random, f"S{self.ids}", kind=random.choice(KINDS)))

    @rule(random=CHANCE)
    def live_a_payment(self, random: Random) -> None:
        """Several reports of one id: any statuses, amounts and revisions."""
        member = random.choice(self.members)
        self.ids += 1
        name, origin = f"L{self.ids}", random.choice(ORIGINS)
        amounts = [random.randint(1, 30_000) for _ in range(2)]
        for _ in range(random.randint(2, 5)):
            if random.random() < 0.3:
                self.crash_of(member)
            report = self._report(
                random,
                name,
                origin=origin,
                status=random.choice(STATUSES),
                amount=random.choice(amounts),
                revision=random.choice([0, 0, 0, 1, 2]),
            )
            self.tell(member, report)

    @rule(random=CHANCE)
    def settle_in_parts(self, random: Random) -> None:
        """A hold, and settlements with ids of their own that draw on it; the last may say so."""
        member = random.choice(self.members)
        self.ids += 1
        hold, origin = f"H{self.ids}", random.choice(ORIGINS)
        mcc = random.choice([None, "7011", "5541"])
        reports = [self._report(random, hold, origin=origin, status="authorised", amount=20_000, mcc=mcc)]
        reports += [
            self._report(
                random,
                f"{hold}/{part}",
                origin=origin,
                amount=random.randint(1, 15_000),
                pending_external_id=hold,
                final=random.choice([None, False, True]),
                mcc=mcc,
            )
            for part in range(random.randint(1, 3))
        ]
        if random.random() < 0.3:
            random.shuffle(reports)
        for report in reports:
            self.tell(member, report)

    @rule(random=CHANCE)
    def refund(self, random: Random) -> None:
        """Parts of any payment come back, more often than they should, or before it is known."""
        member = random.choice(self.members)
        known = list(member.transactions.values())
        if not known:
            return
        original = random.choice(known[-10:])
        for _ in range(random.randint(1, 3)):
            self.ids += random.choice([0, 1, 1])
            self.tell(
                member,
                self._report(
                    random,
                    f"R{self.ids}",
                    revision=random.choice([0, 0, 1, 2]),
                    origin=original.origin,
                    currency=original.currency,
                    kind="refund",
                    amount=min(AMOUNT_MAX, max(1, original.amount * random.choice([1, 33, 50, 100, 130]) // 100)),
                    original_external_id=random.choice(
                        [original.external_id, original.external_id, f"S{self.ids + 3}"]
                    ),
                ),
            )

    @rule(random=CHANCE)
    def edit(self, random: Random) -> None:
        """The user's word on what is known."""
        member = random.choice(self.members)
        for view in list(member.transactions.values())[-3:]:
            self.tell(
                member,
                self.anything(random, member).of(EditTransaction, transaction_id=view.transaction_id),
            )

    @staticmethod
    def crash_of(member: Member) -> None:
        """Lose a member's memory between two reports."""
        member.crash(member.seq // 2 or None)

    def _report(self, random: Random, name: str, **fields: Any) -> RecordTransaction:
        given: dict[str, Any] = {
            "external_id": name,
            "source": "upi",
            "amount": random.choice([random.randint(1, 30_000), 1_000, 9_725]),
            "currency": random.choice(["INR"] * 9 + ["USD"]),
            "category": random.choice([None, "food", "travel"]),
            "balance_after": random.choice([None, None, None, 100, 100_000]),
        }
        return RecordTransaction(**(given | fields))
