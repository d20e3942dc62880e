"""The user's word on reports that belong together: the legs of a transfer, or one payment from two sources."""

from msgspec import Struct

from engine.commands import ExternalId, MatchTransfer, MergeDuplicate, RejectDuplicate, RejectTransfer
from engine.views import TransactionView
from serve.api.routing import Answer, Call, route


class Other(Struct, frozen=True, forbid_unknown_fields=True):
    """The transaction it belongs to, by its id."""

    other_id: ExternalId


async def match_transfer(call: Call) -> Answer:
    """Say that a debit and a credit are one transfer between own accounts: neither is spent or earned."""
    return await call.tell(MatchTransfer(transaction_id=call.path["transaction_id"], other_id=call.body.other_id))


async def reject_transfer(call: Call) -> Answer:
    """Undo a match, or drop the suggestion of one; the pair is not matched again by itself."""
    return await call.tell(RejectTransfer(transaction_id=call.path["transaction_id"]))


async def merge_duplicate(call: Call) -> Answer:
    """Say that a transaction is another report of `other_id`: it counts no more."""
    return await call.tell(MergeDuplicate(transaction_id=call.path["transaction_id"], other_id=call.body.other_id))


async def reject_duplicate(call: Call) -> Answer:
    """Undo a merge, or drop the suggestion of one: the transaction is a payment of its own."""
    return await call.tell(RejectDuplicate(transaction_id=call.path["transaction_id"]))


_MATCH, _DUPLICATE = "/transactions/{transaction_id}/transfer-match", "/transactions/{transaction_id}/duplicate-of"
_HELD = ((409, "One of them is matched, merged, refunded or not settled"),)

ROUTES = [
    route(f"POST {_MATCH}", match_transfer, tag="transactions", body=Other, answer=TransactionView, also=_HELD),
    route(f"DELETE {_MATCH}", reject_transfer, tag="transactions", answer=TransactionView),
    route(f"POST {_DUPLICATE}", merge_duplicate, tag="transactions", body=Other, answer=TransactionView, also=_HELD),
    route(f"DELETE {_DUPLICATE}", reject_duplicate, tag="transactions", answer=TransactionView, also=_HELD),
]
