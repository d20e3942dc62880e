"""Letters: commands from one entity to another of the same tenant, sent with the turn that decided on them.

A letter is delivered at least once, in order a sender and receiver, under its command id: the target carries it out
once. `to` is the local part of the entity id: a user id, or `~` and a group id.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from engine.behaviour import OutboxRow

CHANNEL = "letter"
GROUP_MARK = "~"
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")


class Letter(Struct, frozen=True, array_like=True):
    """A command for another entity. `command` is msgpack as its behaviour decodes it.

    `on_refused` is such a command for the sender, carried out as `{command_id}:refused` when the target refuses;
    without it a refusal is only logged.
    """

    to: str
    command_id: str
    command: Raw
    on_refused: bytes | None = None


def encoded(command: Any) -> bytes:
    """Return a command as a letter carries it: the same command is the same bytes."""
    return _ENCODER.encode(command)


def letter(outbox_id: str, to: str, command_id: str, command: Any, on_refused: Any = None) -> OutboxRow:
    """Return the outbox row of a letter; outbox ids sort in the order of sending."""
    refused = None if on_refused is None else encoded(on_refused)
    return OutboxRow(
        outbox_id, f"{CHANNEL}/{to}", _ENCODER.encode(Letter(to, command_id, Raw(encoded(command)), refused))
    )


def is_letter(row: OutboxRow) -> bool:
    """Whether a row is what `letter` made: each receiver is a line of its own, so that one who cannot be reached holds
    up nobody else's letters.
    """
    return row.channel.startswith(f"{CHANNEL}/")


def read(body: bytes) -> Letter:
    """Decode what `letter` made."""
    return msgspec.msgpack.decode(body, type=Letter)
