"""What a turn of settlement writes beside the journal: the list a host polls, and what is sent to one that listens."""

import msgspec

from engine.behaviour import OutboxRow, RecordRow, Turn
from engine.events import Instruction, InstructionClosed, InstructionIssued
from engine.receipts import user_id
from engine.views_settlement import InstructionView, instruction

KIND, CHANNEL = "instruction", "instruction"

_ENCODER = msgspec.msgpack.Encoder()
_VIEWS = msgspec.msgpack.Decoder(InstructionView)


def of_turn(turn: Turn) -> tuple[list[RecordRow], list[OutboxRow]]:
    """Return the rows of the instructions that a turn issued or closed, and what the host is sent of them."""
    records, orders = [], []
    for event in turn.events:
        if type(event) is InstructionIssued or type(event) is InstructionClosed:
            one: Instruction = event.instruction
            sealed = _ENCODER.encode(instruction(one, user_id(turn.entity_id)))
            records.append(
                RecordRow(KIND, one.instruction_id, one.status, one.created_at, one.amount, one.currency, sealed)
            )
            if one.status == "open" and one.due is None:
                orders.append(OutboxRow(one.instruction_id, CHANNEL, sealed))
    return records, orders


def decode(sealed: bytes) -> InstructionView:
    """Return an instruction as its row holds it, and as a host is sent it."""
    return _VIEWS.decode(sealed)
