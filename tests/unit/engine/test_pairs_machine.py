"""Random lives of payments that belong together: books and spending are what the transactions stand for, always."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.accounts.rate_book import DatedRate
from engine.behaviour import Refused
from engine.commands import (
    CreateAccount,
    MatchTransfer,
    MergeDuplicate,
    OpenUser,
    RecordTransaction,
    RejectDuplicate,
    RejectTransfer,
)
from engine.payments import standing
from engine.planning.spending import DAYS_KEPT
from engine.views import TransactionView
from tests.support.person import Person, replayed

AT = datetime(2026, 11, 10, 6, tzinfo=UTC)
REFERENCES = st.sampled_from([None, "423456789012", "423456789013"])
SOURCES = st.sampled_from([("user", "notes"), ("service:a", "sms"), ("service:b", "bank")])
KINDS = st.sampled_from(["purchase", "p2p", "transfer", "income", "repayment"])
STATUSES = st.sampled_from(["settled", "settled", "authorised", "voided", "reversed"])
CURRENCIES = st.sampled_from(["INR", "INR", "USD"])


class Pairs(RuleBasedStateMachine):
    """One person with accounts; two sources and an own notebook report, the person judges, rates come late."""

    @initialize()
    def open(self) -> None:
        self.person = Person(OpenUser(auto_saving="on"), AT)
        self.at = AT
        for name, kind in (("HDFC", "bank"), ("Axis", "bank"), ("Card", "card")):
            self.person.do(CreateAccount(name=name, account_type=kind, currency="INR", balance=0), AT)  # type: ignore[arg-type]
        self.accounts = [*self.person.state.accounts, "elsewhere", None]

    def attempt(self, command: Any) -> None:
        try:
            self.person.do(command, self.at)
        except Refused:
            return

    @rule(
        name=st.sampled_from("ABC"),
        source=SOURCES,
        kind=KINDS,
        status=STATUSES,
        amount=st.sampled_from([500, 725]),
        currency=CURRENCIES,
        account=st.integers(0, 4),
        reference=REFERENCES,
        revision=st.integers(0, 2),
    )
    def report(self, account: int, source: tuple[str, str], name: str, **said: Any) -> None:
        origin, source_name = source
        fields: dict[str, Any] = {
            "origin": origin,
            "source": source_name,
            "external_id": name,
            "account_id": self.accounts[account],
        }
        self.attempt(RecordTransaction(**fields, **said))

    @rule(source=SOURCES, name=st.sampled_from("ABC"), amount=st.sampled_from([100, 500]), currency=CURRENCIES)
    def refund(self, source: tuple[str, str], name: str, amount: int, currency: str) -> None:
        said = {"origin": source[0], "source": source[1], "external_id": f"R{name}{amount}", "kind": "refund"}
        self.attempt(RecordTransaction(amount=amount, currency=currency, original_external_id=name, **said))  # type: ignore[arg-type]

    @rule(data=st.data(), judge=st.sampled_from([MatchTransfer, MergeDuplicate]))
    def join(self, data: st.DataObject, judge: Any) -> None:
        ids = sorted(self.person.transactions)
        if ids:
            pair = {"transaction_id": data.draw(st.sampled_from(ids)), "other_id": data.draw(st.sampled_from(ids))}
            self.attempt(judge(**pair))

    @rule(data=st.data(), judge=st.sampled_from([RejectTransfer, RejectDuplicate]))
    def part(self, data: st.DataObject, judge: Any) -> None:
        ids = sorted(self.person.transactions)
        if ids:
            self.attempt(judge(transaction_id=data.draw(st.sampled_from(ids))))

    @rule(hours=st.sampled_from([0, 1, 30, 400]))
    def wait(self, hours: int) -> None:
        self.at += timedelta(hours=hours)
        while any(timer.due <= self.at for timer in self.person.timers.values()):
            try:
                self.person.wait(self.at)
            except Refused:
                continue  # as the runtime: a refused timer is deleted

    @rule()
    def rates_come(self) -> None:
        self.person.outside.book.put([DatedRate("USD", "INR", AT.date(), 842_575, 10_000)])

    @invariant()
    def spending_is_what_the_transactions_stand_for(self) -> None:
        expected: dict[tuple[int, str], int] = defaultdict(int)
        views: list[TransactionView] = list(self.person.transactions.values())
        for view in views:
            for part in standing.spent(view):
                expected[part.local_date.toordinal(), part.category] += part.amount
        found = {
            (day, category): amount
            for day, sums in self.person.state.spending.days.items()
            for category, amount in sums.items()
        }
        first = self.person.state.spending.newest - DAYS_KEPT
        assert found == {key: amount for key, amount in expected.items() if amount and key[0] > first}

    @invariant()
    def a_pair_names_each_other_once_timers_have_fired(self) -> None:
        if any(timer.due <= self.at for timer in self.person.timers.values()):
            return
        views = self.person.transactions
        for view in views.values():
            if view.duplicate is not None:
                assert not view.counts_as_spend
                assert view.transaction_id in views[view.duplicate.of].reports
            for one in view.reports:
                assert views[one].duplicate is not None
            if view.transfer is not None:
                other = views[view.transfer.other_id]
                assert other.transfer is not None
                assert other.transfer.other_id == view.transaction_id

    @invariant()
    def no_jar_is_below_zero_and_a_replay_is_the_same(self) -> None:
        assert all(jar.saved >= 0 for jar in self.person.state.jars.values())
        assert replayed(self.person.bodies, snapshot_at=len(self.person.bodies) // 2) == self.person.state


Pairs.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestPairs = Pairs.TestCase
