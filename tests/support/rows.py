"""Turns and rows as a journal takes them, for tests that need no domain."""

from datetime import UTC, datetime
from typing import Any

from actors.chain import link
from actors.journal import JournalRow, TurnWrite
from actors.slots import slot_of
from engine.behaviour import Rows, TransactionRow

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def turn(entity_id: str, seq: int, command_id: str | None = None, rows: Rows | None = None) -> TurnWrite:
    """Return a turn; its chain does not matter to the journal."""
    command = command_id or f"tx:{seq}"
    body = b"body-%d" % seq
    row = JournalRow(
        slot_of(entity_id), entity_id, seq, command, b"hash-%d" % seq, AT, body, link(b"", seq, command, body), b"meta"
    )
    return TurnWrite(row, rows or Rows())


def transaction(transaction_id: str, sealed: bytes, **changes: Any) -> TransactionRow:
    """Return a row of the read model."""
    fields: dict[str, Any] = {
        "transaction_id": transaction_id,
        "origin": "user",
        "source": "test",
        "external_id": transaction_id,
        "status": "settled",
        "kind": "purchase",
        "direction": "debit",
        "amount": 9_007_199_254_740_991,
        "currency": "INR",
        "category": "food",
        "occurred_at": AT,
        "recorded_at": AT,
        "sealed": sealed,
    }
    return TransactionRow(**{**fields, **changes})
