"""The hash chain of an entity's journal: a changed, removed or reordered row shows.

Every part is preceded by its length, so that no two different rows hash the same bytes.
"""

from collections.abc import Iterable
from hashlib import sha256
from struct import Struct
from typing import Protocol

_HEAD = Struct(">IQI")


class Link(Protocol):
    """What of a journal row the chain covers."""

    @property
    def seq(self) -> int:
        """Position in the entity's journal, from 1."""

    @property
    def command_id(self) -> str:
        """The command that made the row."""

    @property
    def body(self) -> bytes:
        """The stored body."""

    @property
    def chain(self) -> bytes:
        """The hash written with the row."""


class BrokenChain(Exception):
    """A row does not follow from the one before it: the journal was changed outside of the runtime."""


def genesis(entity_id: str) -> bytes:
    """Return what stands before the first row of an entity."""
    return bytes(32) + entity_id.encode()


def link(previous: bytes, seq: int, command_id: str, body: bytes) -> bytes:
    """Return the hash of a row that follows `previous`."""
    command = command_id.encode()
    return sha256(b"".join((_HEAD.pack(len(previous), seq, len(command)), previous, command, body))).digest()


def verify(entity_id: str, rows: Iterable[Link], *, chain: bytes | None = None, seq: int = 0) -> bytes:
    """Check that `rows` follow one another from `seq` and `chain` on (by default the beginning); return the last hash.

    Raises `BrokenChain` naming the first row that does not follow.
    """
    previous = genesis(entity_id) if chain is None else chain
    for row in rows:
        seq += 1
        if row.seq != seq:
            raise BrokenChain(f"{entity_id}: expected seq {seq}, found {row.seq}")
        previous = link(previous, row.seq, row.command_id, row.body)
        if previous != row.chain:
            raise BrokenChain(f"{entity_id}: the hash of seq {row.seq} does not match its row")
    return previous
