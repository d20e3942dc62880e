"""Several entities with the runtime between them, in one process: journals, command ids, crashes, timers, letters.

What it may do is what the real runtime may: lose what was not committed, forget what was (memory, never the journal),
deliver a letter again, late, or between any two turns of others; it keeps the order of one sender.
"""

from collections import defaultdict
from contextlib import suppress
from datetime import date, datetime

import msgspec
from typing_extensions import override

from engine.behaviour import Context, Facts, Prediction, Refused, Turn
from engine.commands import Command
from engine.ledger import HELD, check_balanced
from engine.payments import standing
from engine.planning.spending import OVERALL
from engine.pledges import SPENT
from engine.queries import GetBudgets, GetBurnRate, GetJar, GetJars, GetProfile, GetStreaks
from tests.machines.anything import Seen, plain
from tests.support.person import BEHAVIOUR, Person, replayed

STATE_BYTES_MAX = 256 * 1024
REFUSALS = {"invalid", "not_found", "conflict", "forbidden", "gone", "too_many"}


class Member(Person):
    """A person behind command ids, who can crash; every turn is checked as it is made."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self.seen = Seen()
        self.entity_id = f"main/u{number}"
        self.state = BEHAVIOUR.initial(self.entity_id)
        self.carried_out: dict[str, tuple[bytes, Turn]] = {}
        self.refusals: list[Refused] = []

    def submit(self, command_id: str, command: Command, at: datetime) -> Turn | None:
        """Carry a command out once; a repeat gets the first answer, a refusal changes nothing (None)."""
        encoded = msgspec.msgpack.encode(command)
        if command_id in self.carried_out:
            first, turn = self.carried_out[command_id]
            assert first == encoded, "the same id with another body must not get here"
            assert BEHAVIOUR.answer(turn, duplicate=True)
            return turn
        before = BEHAVIOUR.encode_state(self.state)
        try:
            turn = self.do(BEHAVIOUR.decode_command(encoded), at)
        except Refused as refused:
            self._untouched(command, before)
            self.refusals.append(refused)
            return None
        self.carried_out[command_id] = encoded, turn
        return turn

    @override
    def do(self, command: Command, at: datetime, prediction: Prediction | None = None) -> Turn:
        turn = super().do(command, at, prediction)
        for event in turn.events:
            check_balanced(getattr(event, "postings", None) or ())
            self.seen.note(plain(event))
        self.seen.note(self.answer(turn))
        assert BEHAVIOUR.push(turn)
        check_books(self)
        return turn

    @staticmethod
    def decode(encoded: bytes) -> Command:
        """Return a command as it comes off the wire."""
        return BEHAVIOUR.decode_command(encoded)

    def lose(self, command: Command, at: datetime) -> None:
        """Decide, and crash before the commit: nothing happened."""
        before = BEHAVIOUR.encode_state(self.state)
        codes = len(self.outside.codes)
        with suppress(Refused):
            BEHAVIOUR.decide(self.state, command, self._facts(), self._context(at))
        del self.outside.codes[codes:]
        self._untouched(command, before)

    def crash(self, snapshot_at: int | None = None) -> None:
        """Lose the memory, and read the journal again, through a snapshot when given."""
        known = self.state
        self.state = replayed(self.bodies, self.entity_id, snapshot_at)
        assert self.state == known, "the journal gives another state than the one that was answered from"

    def _untouched(self, command: Command, before: bytes) -> None:
        assert BEHAVIOUR.encode_state(self.state) == before, (
            f"a command that was not carried out left a mark: {command}"
        )

    def _facts(self) -> Facts:
        known = self.transactions
        return Facts(dict(known), {(t.origin, t.source, t.external_id): t for t in known.values()})

    def _context(self, at: datetime) -> Context:
        ids = (f"lost-{number}" for number in range(1000))
        return Context(at, self.seq + 1, ids.__next__, None, self.outside)

    @override
    def _new_id(self) -> str:
        self._ids += 1
        return f"019aa000-0000-7000-8{self._number:03d}-{self._ids:012d}"


def check_books(member: Member) -> None:
    """What holds after every turn: balances sum to zero, no stage of a jar is below zero, the state stays small."""
    state = member.state
    for currency, book in state.ledger.balances.items():
        assert sum(book.values()) == 0, currency
        below = {account: amount for account, amount in book.items() if account.startswith("jar:") and amount < 0}
        assert not below
    home = state.ledger.balances.get(state.profile.currency, {})
    for jar in state.jars.values():
        held = sum(amount for account, amount in home.items() if account.startswith(f"jar:{jar.jar_id}:"))
        assert held == jar.saved, f"jar {jar.name} says {jar.saved}, the ledger {held}"
    assert {account.split(":")[1] for account in home if account.startswith("jar:")} <= set(state.jars)
    assert len(BEHAVIOUR.encode_state(state)) < STATE_BYTES_MAX


def check_reads(member: Member, at: datetime) -> None:
    """Two reads never disagree: every list and single object shows what the overview shows."""
    overview = member.overview(at)
    jars = member.ask(GetJars(limit=500), at)["items"]
    assert jars == overview["jars"]
    assert [member.ask(GetJar(jar["jar_id"]), at) for jar in jars] == jars
    assert sum(jar["balance"] for jar in jars) == overview["total_saved"]
    budgets = member.ask(GetBudgets(limit=500), at)["items"]
    assert budgets == overview["budgets"]
    rates = member.ask(GetBurnRate(), at)
    assert rates == overview["burn_rate"]
    shown = {(b["category"], b["period"]): (b["spent"], b["limit"]) for b in budgets}
    assert {(r["category"], r["period"]): (r["spent"], r["limit"]) for r in rates["items"]} == shown
    assert member.ask(GetProfile(), at) == overview["profile"]
    assert member.ask(GetStreaks(), at)["items"][0] == overview["streak"]


def check_rows(member: Member) -> None:
    """What the list of transactions shows is what the books hold: spent, held, budgeted, and saved provisionally."""
    state, home = member.state, member.state.profile.currency
    books: dict[tuple[str, str], int] = defaultdict(int)
    spent: dict[tuple[date, str], int] = defaultdict(int)
    for view in member.transactions.values():
        for key, amount in standing.books(view).items():
            books[key] += amount
        for one in standing.spent(view):
            spent[one.local_date, one.category] += one.amount
    listed = {key: amount for key, amount in books.items() if amount and key[0].startswith(("expense:", HELD))}
    held = {
        (account, currency): amount
        for currency, book in state.ledger.balances.items()
        for account, amount in book.items()
        if account.startswith(("expense:", HELD)) and account != SPENT
    }
    assert held == listed
    provisional = sum(
        amount for account, amount in state.ledger.balances.get(home, {}).items() if account.endswith(":provisional")
    )
    assert provisional == sum(part.amount for hold in state.holds.values() for part in hold.saved)
    for budget in state.budgets.values():
        start, end = budget.bounds(state.profile.today(member.turns[-1].at))
        expected = sum(
            amount for (day, name), amount in spent.items() if start <= day < end and budget.category == name
        )
        if budget.category == OVERALL:
            expected = sum(amount for (day, _), amount in spent.items() if start <= day < end)
        if budget.category in {OVERALL, "food", "travel"}:
            assert budget.spent_in(start) == expected, budget.category
