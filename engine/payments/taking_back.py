"""What a refund takes back of its purchase's round-up, and what the undoing of a refund puts back."""

from msgspec import structs

from engine.behaviour import Context
from engine.commands import RefundPolicy
from engine.events import Hold, JarShare, Posting
from engine.jars.allocation import split
from engine.ledger import PROMISED, RETURNED
from engine.payments import resaving, standing
from engine.payments.life import OPEN
from engine.state import UserState
from engine.views import TakenBack, TransactionView


def _target(view: TransactionView, refunded: int) -> int:
    """Return half_up(saved x refunded / amount): cumulative, so that many small refunds take as much as a big one."""
    saved = sum(part.amount for part in view.jar_postings)
    return (2 * saved * refunded + view.amount) // (2 * view.amount) if view.amount else 0


def followed(state: UserState, original: TransactionView) -> TransactionView:
    """Return a purchase with its round-up where it is now: of an authorisation, in jars that others moved into."""
    hold = state.holds.get(original.transaction_id)
    if hold is None:
        return original
    by_jar = {part.jar_id: part.amount for part in hold.saved}
    for part in original.taken_back:
        by_jar[part.jar_id] = by_jar.get(part.jar_id, 0) + part.amount
    return structs.replace(original, jar_postings=resaving.shares(by_jar))


def take_back(
    state: UserState, original: TransactionView, refunded: int, policy: RefundPolicy, context: Context
) -> tuple[list[TakenBack], list[Posting]]:
    """Return what a refund does to each jar's part of the round-up, `refunded` being the total after it.

    Split over the jars by largest remainder, less what was taken or kept before, as far as a jar is open and has it.
    What is provisional is no jar's yet, and comes back from a locked one too.
    """
    taken: list[TakenBack] = []
    postings: list[Posting] = []
    shares = original.jar_postings
    if not shares:
        return taken, postings
    settled = {part.jar_id: part.amount + part.kept for part in original.taken_back}
    target = _target(original, refunded)
    due = target - sum(settled.values())
    stage = "provisional" if original.status in OPEN else "accrued"
    for share, goal in zip(shares, split(target, [part.amount for part in shares]), strict=True):
        part = min(goal - settled.get(share.jar_id, 0), due)
        if part <= 0:
            continue
        due -= part
        jar = state.jars.get(share.jar_id)
        locked = stage != "provisional" and jar is not None and jar.locked_at(context.at) is not None
        if policy == "keep" or locked:
            taken.append(TakenBack(share.jar_id, 0, part))
            continue
        out = resaving.take(state, share.jar_id, part, stage, context) if jar is not None else []
        taken.append(TakenBack(share.jar_id, sum(one.amount for one in out if one.account in (PROMISED, RETURNED))))
        postings += out
    return taken, postings


def put_back(original: TransactionView, refunded: int) -> list[TakenBack]:
    """Return what stays taken back when only `refunded` is given back any more."""
    surplus = sum(part.amount + part.kept for part in original.taken_back) - _target(original, refunded)
    parts = []
    for part in reversed(original.taken_back):
        amount = min(part.amount, max(0, surplus))
        kept = min(part.kept, max(0, surplus - amount))
        surplus -= amount + kept
        parts.append(TakenBack(part.jar_id, part.amount - amount, part.kept - kept))
    return [part for part in reversed(parts) if part.amount or part.kept]


def hold_after(state: UserState, original: TransactionView, taken: list[TakenBack]) -> Hold | None:
    """Return what an authorisation holds after a refund of it; None for a purchase that holds nothing."""
    hold = state.holds.get(original.transaction_id)
    if hold is None:
        return None
    gone = {part.jar_id: part.amount for part in taken}
    saved = [JarShare(part.jar_id, part.amount - gone.get(part.jar_id, 0)) for part in hold.saved]
    return Hold(standing.held(original), [part for part in saved if part.amount])
