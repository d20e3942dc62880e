"""Which old transactions a command must see: the runtime reads them with the batch's one read, before the decision."""

from msgspec import UNSET

from engine.behaviour import Needs
from engine.commands import (
    ApplyRate,
    Command,
    DeleteTransaction,
    EditTransaction,
    ExpireAuthorisation,
    ExpireRefund,
    MatchTransfer,
    MergeDuplicate,
    RecordTransaction,
    RejectDuplicate,
    RejectTransfer,
    UndoRefund,
)
from engine.payments import drawing

_PAIRS = (MatchTransfer, MergeDuplicate)
_ALONE = (RejectTransfer, RejectDuplicate, ApplyRate, ExpireAuthorisation, ExpireRefund, DeleteTransaction)


def needs(command: Command) -> Needs | None:
    """Return what a command looks back at; None for what decides from the state alone.

    Each report names its own identity: one of a known transaction changes it, whatever order they come in.
    """
    if type(command) is RecordTransaction:
        own = (command.origin, command.source, command.external_id)
        if command.kind == "refund" and command.original_external_id is not None:
            return Needs(identities=(own, (command.origin, command.source, command.original_external_id)))
        if command.pending_external_id is None:
            return Needs(identities=(own,))
        named = drawing.identity(command)
        return Needs(identities=(own, named) if named else (own,))
    if type(command) is EditTransaction:
        linked = () if command.refund_of is UNSET else (command.refund_of,)
        return Needs(transaction_ids=(command.transaction_id, *linked))
    if type(command) is UndoRefund:
        return Needs(transaction_ids=(command.transaction_id, command.original_id))
    if isinstance(command, _PAIRS):
        return Needs(transaction_ids=(command.transaction_id, command.other_id))
    if type(command) is RejectDuplicate and command.of is not None:
        return Needs(transaction_ids=(command.transaction_id, command.of))
    if isinstance(command, _ALONE):
        return Needs(transaction_ids=(command.transaction_id,))
    return None
