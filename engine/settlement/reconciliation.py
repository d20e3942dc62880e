"""Reconciliation: what we think of a day's instructions against what the host's statement of that day says.

Entries match by `instruction_id`, else by reference. Differences are named, never mended: money moved as the host says,
and a person decides. Rules: docs/domain.md, "Reconciliation".
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from engine.commands.types import Currency, ExternalId, PositiveAmount, ShortText
from engine.settlement.views_settlement import InstructionView

ENTRIES_MAX = 10_000
"""Lines of one statement, and instructions of one day."""

DifferenceKind = Literal["missing_here", "missing_there", "amount_differs", "status_differs", "twice_there"]


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A line of the host's statement: names the instruction, or the reference that was reported with its result."""

    amount: PositiveAmount
    currency: Currency
    status: Literal["done", "failed"]
    instruction_id: ExternalId | None = None
    reference: ShortText | None = None


class Difference(Struct, frozen=True, kw_only=True):
    """One thing that is not the same here and there; a null says that it is not there."""

    kind: DifferenceKind
    instruction_id: str | None
    user_id: str | None
    reference: str | None
    here: "Side | None"
    there: "Side | None"


class Side(Struct, frozen=True):
    """What one side says of an instruction."""

    amount: int
    currency: str
    status: str


class Sum(Struct, frozen=True):
    """What was done in a currency, in minor units."""

    currency: str
    debits: int
    payouts: int
    count: int


def compare(
    ours: Sequence[InstructionView], elsewhere: Mapping[str, InstructionView], entries: Iterable[Entry]
) -> tuple[int, list[Difference]]:
    """Return how many lines agree, and every difference.

    `ours` are the instructions that ended on the day; `elsewhere` others the statement names, by id: open, or ended on
    another day.
    """
    by_id = {one.instruction_id: one for one in ours}
    by_reference = {one.reference: one for one in ours if one.reference is not None}
    named: set[str] = set()
    agreed = 0
    found: list[Difference] = []
    for entry in entries:
        one = _of(entry, by_id, by_reference, elsewhere)
        kind = _difference(one, entry, named)
        if one is not None:
            named.add(one.instruction_id)
        if kind is None:
            agreed += 1
        else:
            found.append(_named(kind, one, entry))
    missing = [one for one in ours if one.status == "done" and one.instruction_id not in named]
    return agreed, [*found, *(_named("missing_there", one, None) for one in missing)]


def _of(
    entry: Entry,
    by_id: Mapping[str, InstructionView],
    by_reference: Mapping[str, InstructionView],
    elsewhere: Mapping[str, InstructionView],
) -> InstructionView | None:
    if entry.instruction_id is not None:
        return by_id.get(entry.instruction_id) or elsewhere.get(entry.instruction_id)
    return by_reference.get(entry.reference) if entry.reference is not None else None


def _difference(one: InstructionView | None, entry: Entry, named: set[str]) -> DifferenceKind | None:
    if one is None:
        return "missing_here"
    if one.instruction_id in named:
        return "twice_there"
    if (one.amount, one.currency) != (entry.amount, entry.currency):
        return "amount_differs"
    return None if one.status == entry.status else "status_differs"


def _named(kind: DifferenceKind, one: InstructionView | None, entry: Entry | None) -> Difference:
    return Difference(
        kind=kind,
        instruction_id=one.instruction_id if one else entry.instruction_id if entry else None,
        user_id=one.user_id if one else None,
        reference=one.reference if one and one.reference else entry.reference if entry else None,
        here=Side(one.amount, one.currency, one.status) if one else None,
        there=Side(entry.amount, entry.currency, entry.status) if entry else None,
    )


def sums(ours: Iterable[InstructionView]) -> list[Sum]:
    """Return what was done, by currency."""
    found: dict[str, Sum] = {}
    for one in ours:
        if one.status == "done":
            was = found.get(one.currency, Sum(one.currency, 0, 0, 0))
            debit = one.amount if one.type == "debit" else 0
            payout = one.amount - debit
            found[one.currency] = Sum(one.currency, was.debits + debit, was.payouts + payout, was.count + 1)
    return [found[currency] for currency in sorted(found)]
