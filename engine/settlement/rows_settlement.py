"""What a turn of settlement writes beside the journal: the list a host polls, and what is sent to one that listens."""

from typing import Any

import msgspec

from engine.behaviour import OutboxRow, RecordRow, Turn
from engine.events import DebitPutOff, DebitSubmitted, Instruction, InstructionClosed, InstructionIssued
from engine.receipts import user_id
from engine.settlement.views_settlement import InstructionView, instruction

_CHANGES = (InstructionIssued, InstructionClosed, DebitSubmitted, DebitPutOff)
KIND, CHANNEL = "instruction", "instruction"

_ENCODER = msgspec.msgpack.Encoder()
_VIEWS = msgspec.msgpack.Decoder(InstructionView)


def of_turn(turn: Turn) -> tuple[list[RecordRow], list[OutboxRow]]:
    """Return the rows of the instructions that a turn issued or closed, and what the host is sent of them."""
    records, orders = [], []
    for event in turn.events:
        if type(event) in _CHANGES:
            one: Instruction = event.instruction
            sealed = _ENCODER.encode(instruction(one, user_id(turn.entity_id)))
            at = one.created_at if one.status == "open" else one.reported_at or event.at
            records.append(RecordRow(KIND, one.instruction_id, one.status, at, one.amount, one.currency, sealed))
            if one.is_ready and one.sandbox:
                orders.append(OutboxRow(f"{one.instruction_id}:{one.attempt}", CHANNEL, sealed))
            if one.mandate_id is not None:
                orders += _notices(turn, event, one)
    return records, orders


def _notices(turn: Turn, event: Any, one: Instruction) -> list[OutboxRow]:
    """Return what the person must be sent before and after a debit under a mandate."""
    template = "pre_debit" if type(event) is InstructionIssued else "post_debit"
    if template == "post_debit" and type(event) is not InstructionClosed:
        return []
    message = {
        "user_id": user_id(turn.entity_id),
        "channel": "notice",
        "template": template,
        "instruction_id": one.instruction_id,
        "mandate_id": one.mandate_id,
        "amount": one.amount,
        "currency": one.currency,
        "status": one.status,
        "due": one.due.isoformat() if one.due else None,
        "reference": one.reference,
        "reason": one.reason,
    }
    return [OutboxRow(f"{one.instruction_id}:{template}", "notify", _ENCODER.encode(message))]


def decode(sealed: bytes) -> InstructionView:
    """Return an instruction as its row holds it, and as a host is sent it."""
    return _VIEWS.decode(sealed)
