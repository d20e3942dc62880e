"""Any sequence of commands, good and bad: the ledger balances, nothing is lost, a replay gives the same state."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from engine import commands as c
from engine.behaviour import Context, Facts, Refused
from engine.events import AlertRaised, JarDeleted, TransactionRecorded, TransactionRefunded
from engine.jars import activity
from engine.ledger import check_balanced, jar_account
from engine.planning import spent, taxonomy
from engine.queries import GetBudgets, GetBurnRate, GetJars, GetOverview, GetStreaks
from tests.support import naive
from tests.support.outside import Told
from tests.support.person import BEHAVIOUR, Person, replayed

START = datetime(2026, 10, 20, 6, tzinfo=UTC)
CATEGORIES = st.sampled_from(["food", "travel", "fees", "overall", "chai"])
KINDS = st.sampled_from(["purchase", "purchase", "purchase", "p2p", "cash", "fee", "income", "transfer", "refund"])
AMOUNTS = st.one_of(st.integers(1, 30_000), st.sampled_from([1000, 20_000, c.AMOUNT_MAX]))
ZONES = st.sampled_from(["Asia/Kolkata", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Mars/Base"])
ROUNDINGS = st.builds(
    c.RoundingPatch,
    unit=st.sampled_from([msgspec.UNSET, None, 100, 1000, 10_000, 99]),
    multiplier=st.sampled_from([msgspec.UNSET, 1, 10]),
    exact_multiple=st.sampled_from([msgspec.UNSET, "none", "full_unit"]),
    floor=st.sampled_from([msgspec.UNSET, None, 5000]),
    daily_cap=st.sampled_from([msgspec.UNSET, None, 2000]),
)
PLANS = st.builds(c.Plan, every=st.sampled_from(["day", "week", "month"]), amount=st.sampled_from([None, 300]))


class UserMachine(RuleBasedStateMachine):
    """One user, held against `naive.Book` after every command."""

    @initialize(
        auto_saving=st.sampled_from(["on", "on", "off"]),
        limit=st.sampled_from([20_000, 100_000]),
        period=st.sampled_from(["weekly", "monthly"]),
    )
    def open(self, auto_saving: Any, limit: int, period: Any) -> None:
        self.at = START
        self.person = Person(c.OpenUser(auto_saving=auto_saving), START)
        self.book = naive.Book()
        self.marks: set[str] = set()
        self.rearmed: set[str] = set()
        self.notified: dict[date, int] = {}
        self.snapshot_at = 1
        self.moved: dict[str, int] = {}
        self.do(c.SetBudget(category="food", limit=limit, period=period))
        self.do(c.SetBudget(category="overall", limit=2 * limit))

    def do(self, command: c.Command) -> None:
        before = BEHAVIOUR.encode_state(self.person.state)
        refused = self._decide_only(command)
        assert BEHAVIOUR.encode_state(self.person.state) == before, "deciding changed the state"
        if refused is not None:
            assert refused.code in {"invalid", "not_found", "conflict"}
            return
        turn = self.person.do(command, self.at)
        for event in turn.events:
            check_balanced(getattr(event, "postings", []))
            self.book.note(event)
            if isinstance(event, AlertRaised):
                self._alerted(event)
            if isinstance(event, JarDeleted):
                assert naive.moved_nothing(event)
            if isinstance(event, TransactionRefunded):
                self._refunded(event)
        for jar_id in self.person.state.jars:
            told = sum(movement.amount for movement in activity.of_turn(turn, jar_id))
            self.moved[jar_id] = self.moved.get(jar_id, 0) + told
        assert BEHAVIOUR.answer(turn)
        assert BEHAVIOUR.push(turn)

    def _decide_only(self, command: c.Command) -> Refused | None:
        ids = (f"probe-{number}" for number in range(1000))
        context = Context(at=self.at, seq=self.person.seq + 1, new_id=ids.__next__, outside=Told())
        try:
            known = self.person.transactions
            facts = Facts(dict(known), {(t.origin, t.source, t.external_id): t for t in known.values()})
            BEHAVIOUR.decide(self.person.state, command, facts, context)
        except Refused as refused:
            return refused
        return None

    def _refunded(self, event: TransactionRefunded) -> None:
        """A refund counts in the period of its purchase while that runs, else in the current one; it re-arms once."""
        today = self.person.state.profile.today(self.at)
        bought = self.person.transactions[event.original_id].local_date
        for budget in spent.budgets_of(self.person.state, event.category, event.local_date):
            running, of_purchase = budget.bounds(today), budget.bounds(bought)
            expected = of_purchase if running == of_purchase or bought > today else running
            assert not event.counts_as_spend or budget.bounds(event.local_date) == expected
        assert not self.rearmed & set(event.rearmed), "re-armed twice"
        self.rearmed |= set(event.rearmed)
        self.marks -= set(event.rearmed)

    def _alerted(self, event: AlertRaised) -> None:
        assert not self.marks & set(event.marks), "told twice"
        self.marks |= set(event.marks)
        if event.data["delivery"] == "now" and event.severity != "critical":
            self.notified[event.local_date] = self.notified.get(event.local_date, 0) + 1
            assert self.notified[event.local_date] <= 3

    @rule(spends=st.lists(st.tuples(st.integers(1, 9_000), CATEGORIES, st.integers(0, 20)), min_size=2, max_size=6))
    def shop(self, spends: list[tuple[int, str, int]]) -> None:
        for amount, category, hours in spends:
            self.at += timedelta(hours=hours)
            self.do(self._purchase(amount, category))

    @rule(times=st.integers(2, 6), days=st.sampled_from([1, 7, 7, 30]), amount=st.sampled_from([9_000, 9_725]))
    def keep_a_habit(self, times: int, days: int, amount: int) -> None:
        for _ in range(times):
            self.at += timedelta(days=days)
            self.do(self._purchase(amount, "food"))

    def _purchase(self, amount: int, category: str) -> c.RecordTransaction:
        return c.RecordTransaction(
            external_id=f"E{self.person.seq}", source="upi", amount=amount, currency="INR", category=category
        )

    @rule(hours=st.one_of(st.integers(0, 30), st.integers(24 * 3, 24 * 40)))
    def wait(self, hours: int) -> None:
        self.at += timedelta(hours=hours, minutes=7)

    @rule()
    def snapshot(self) -> None:
        self.snapshot_at = self.person.seq

    @rule(
        amount=AMOUNTS,
        kind=KINDS,
        category=st.one_of(st.none(), CATEGORIES),
        hours_ago=st.one_of(st.just(0), st.integers(-25, 100)),
        currency=st.sampled_from(["INR", "INR", "INR", "USD", "XXX"]),
        balance_after=st.one_of(st.none(), st.integers(-100, 10_000)),
    )
    def record(
        self, amount: int, kind: Any, category: str | None, hours_ago: int, currency: str, balance_after: int | None
    ) -> None:
        self.do(
            c.RecordTransaction(
                external_id=f"E{self.person.seq}",
                source="upi",
                amount=amount,
                currency=currency,
                kind=kind,
                category=category,
                occurred_at=self.at - timedelta(hours=hours_ago) if hours_ago else None,
                balance_after=balance_after,
            )
        )

    @rule(
        pick=st.integers(0, 99),
        percent=st.sampled_from([1, 33, 50, 100, 100, 130]),
        origin=st.sampled_from(["user", "user", "service:bank"]),
    )
    def refund(self, pick: int, percent: int, origin: str) -> None:
        """Give back a part of any transaction; a provider's is of the provider's own purchases, or parked."""
        known = list(self.person.transactions.values())
        if not known:
            return
        original = known[-1 - pick % len(known)]
        self.do(self._refund(original.external_id, max(1, original.amount * percent // 100), origin, original.currency))

    def _refund(self, of: str, amount: int, origin: str, currency: str = "INR") -> c.RecordTransaction:
        return c.RecordTransaction(
            external_id=f"R{self.person.seq}",
            source="upi",
            amount=min(amount, c.AMOUNT_MAX),
            currency=currency,
            kind="refund",
            origin=origin,
            original_external_id=of,
        )

    @rule(
        amounts=st.lists(st.integers(1, 9_000), min_size=1, max_size=3),
        price=st.integers(1, 9_000),
        days=st.sampled_from([0, 3, 40, 200]),
    )
    def refund_before_its_purchase(self, amounts: list[int], price: int, days: int) -> None:
        purchase = self._purchase(price, "food")
        purchase = msgspec.structs.replace(purchase, origin="service:bank", external_id=f"P{self.person.seq}")
        for amount in amounts:
            self.do(self._refund(purchase.external_id, amount, "service:bank"))
        self.at += timedelta(days=days)
        self.do(purchase)
        turn = self.person.turns[-1]
        if isinstance(turn.events[0], TransactionRecorded) and turn.events[0].external_id == purchase.external_id:
            refunded = sum(isinstance(event, TransactionRefunded) for event in turn.events)
            assert refunded == (0 if days > 180 else len(amounts))

    @rule(pick=st.integers(0, 99), of=st.integers(0, 99))
    def link_refund(self, pick: int, of: int) -> None:
        known = ["unknown", *self.person.transactions]
        credits_ = [t.transaction_id for t in self.person.transactions.values() if t.direction == "credit"] or known
        refund_of = known[-1 - of % len(known)]
        self.do(c.EditTransaction(transaction_id=credits_[-1 - pick % len(credits_)], refund_of=refund_of))

    @rule(pick=st.integers(0, 99), category=CATEGORIES)
    def edit_transaction(self, pick: int, category: str) -> None:
        known = ["unknown", *self.person.transactions]
        self.do(c.EditTransaction(transaction_id=known[-1 - pick % len(known)], category=category))

    @rule(goal=st.sampled_from([None, 300, 5000]), cap=st.booleans(), priority=st.integers(1, 3))
    def create_jar(self, goal: int | None, cap: bool, priority: int) -> None:
        self.do(c.CreateJar(name="Jar", target_amount=goal, cap_at_target=cap, priority=priority))

    @rule(pick=st.integers(0, 9), goal=st.sampled_from([None, 100, 9000]), plan=st.one_of(st.none(), PLANS))
    def edit_jar(self, pick: int, goal: int | None, plan: c.Plan | None) -> None:
        self.do(c.EditJar(jar_id=self._jar(pick), target_amount=goal, plan=plan))

    @rule(pick=st.integers(1, 9), to=st.one_of(st.none(), st.integers(0, 9), st.integers(0, 9)))
    def delete_jar(self, pick: int, to: int | None) -> None:
        self.do(c.DeleteJar(jar_id=self._jar(pick), move_to=None if to is None else self._jar(to)))

    @rule(pick=st.integers(0, 9), amount=AMOUNTS)
    def deposit(self, pick: int, amount: int) -> None:
        self.do(c.DepositToJar(jar_id=self._jar(pick), amount=amount))

    def _jar(self, pick: int) -> str:
        known = list(self.person.state.jars)
        return known[-1 - pick % len(known)] if pick else "unknown"

    @rule(
        category=CATEGORIES,
        limit=st.sampled_from([0, 1, 20_000, 100_000, c.AMOUNT_MAX]),
        period=st.sampled_from(["weekly", "monthly"]),
        starts_on=st.sampled_from([None, 3, 7, 31]),
        rollover=st.sampled_from(["none", "surplus", "all"]),
    )
    def set_budget(self, category: str, limit: int, period: Any, starts_on: int | None, rollover: Any) -> None:
        command = c.SetBudget(category=category, limit=limit, period=period, starts_on=starts_on, rollover=rollover)
        self.do(command)

    @rule(category=st.sampled_from(["food_and_drink", "leisure"]), limit=st.sampled_from([5_000, 100_000]))
    def set_budget_of_a_group(self, category: str, limit: int) -> None:
        self.do(c.SetBudget(category=category, limit=limit))

    @rule(slug=st.sampled_from(["chai", "tapri"]), parent=st.sampled_from([None, "food", "chai", "leisure", "nowhere"]))
    def create_category(self, slug: str, parent: str | None) -> None:
        self.do(c.CreateCategory(name="Chai", slug=slug, parent=parent))

    @rule(category=st.sampled_from(["food", "travel"]))
    def delete_budget(self, category: str) -> None:
        self.do(c.DeleteBudget(category=category))

    @rule(
        change=st.one_of(
            st.builds(c.UpdateProfile, rounding=ROUNDINGS),
            st.builds(c.UpdateProfile, plan=PLANS),
            st.builds(c.UpdateProfile, refund_policy=st.sampled_from(["reverse", "keep"])),
            st.builds(c.UpdateProfile, time_zone=ZONES),
            st.builds(c.UpdateProfile, monthly_budget=st.sampled_from([None, 0, 50_000])),
            st.builds(c.UpdateProfile, currency=st.sampled_from(["INR", "JPY"])),
            st.builds(c.UpdateProfile, auto_saving=st.builds(c.AutoSaving, state=st.sampled_from(["on", "paused"]))),
        )
    )
    def update_profile(self, change: c.UpdateProfile) -> None:
        self.do(change)

    @invariant()
    def balances_sum_to_zero(self) -> None:
        for currency, book in self.person.state.ledger.balances.items():
            assert sum(book.values()) == 0, currency

    @invariant()
    def jars_hold_what_was_promised(self) -> None:
        state = self.person.state
        currency = state.profile.currency
        for jar in state.jars.values():
            stages = [
                state.ledger.balance(jar_account(jar.jar_id, stage), currency) for stage in ("accrued", "scheduled")
            ]
            assert min(stages) >= 0
            assert jar.saved == sum(stages) == self.moved.get(jar.jar_id, 0)
        assert sum(jar.saved for jar in state.jars.values()) == self.book.promised
        assert state.ledger.balance("promised", currency) == -self.book.promised

    @invariant()
    def budgets_are_the_sum_of_their_transactions(self) -> None:
        state = self.person.state
        today = state.profile.today(self.at)
        for budget in state.budgets.values():
            start, end = budget.bounds(today)
            assert budget.spent_in(start) == self._spent_on(budget.category, start, end)
            assert state.spending.between(start, end, state.categories.members(budget.category)) == budget.spent_in(
                start
            )

    def _spent_on(self, category: str, start: date, end: date) -> int:
        """A budget counts its category and everything below it, each once."""
        own = self.person.state.categories.own
        parents = {slug: one.parent for slug, one in taxonomy.CATEGORIES.items()}
        parents |= {slug: one.parent for slug, one in own.items()}
        below = {category}
        for _ in range(4):
            below |= {slug for slug, parent in parents.items() if parent in below}
        return sum(self.book.spent(start, end, slug) for slug in below)

    @invariant()
    def expenses_are_what_was_spent_and_not_given_back(self) -> None:
        state = self.person.state
        for category in ("food", "travel", "fees", "cash", "uncategorised", "chai"):
            booked = state.ledger.balance(f"expense:{category}", state.profile.currency)
            assert booked == self.book.spent(date.min, date.max, category)

    @invariant()
    def no_refund_is_lost(self) -> None:
        """Each waits in its account until it gives back a purchase; the index knows only such."""
        state = self.person.state
        known = self.person.transactions
        parked = [t for t in known.values() if "parked" in t.flags]
        assert all(t.refund_of is None and t.kind == "refund" for t in parked)
        held = -sum(book.get("parked", 0) for book in state.ledger.balances.values())
        assert held == sum(t.amount for t in parked)
        for key, waiting in state.parked.waiting.items():
            assert waiting.credit == known[key]

    @invariant()
    def streak_is_what_a_recount_gives(self) -> None:
        today = self.person.state.profile.today(self.at)
        view = self.person.state.streaks["user"].at(today)
        assert (view.current, view.best, view.freezes) == self.book.streak(today)

    @invariant()
    def every_read_has_an_answer(self) -> None:
        for query in (GetOverview(), GetJars(limit=1), GetBudgets(), GetBurnRate(), GetStreaks()):
            assert self.person.ask(query, self.at)

    @override
    def teardown(self) -> None:
        if not hasattr(self, "person"):
            return
        person = self.person
        assert replayed(person.bodies) == person.state
        assert replayed(person.bodies, snapshot_at=self.snapshot_at) == person.state
        assert BEHAVIOUR.decode_state(BEHAVIOUR.encode_state(person.state)) == person.state


UserMachine.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestUserMachine = UserMachine.TestCase
