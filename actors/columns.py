"""A batch of turns as the columns the group commit takes, folded to one row a key: a statement writes a key once."""

from collections.abc import Sequence
from typing import Any

from actors.arrays import BigInts, Bytes, Texts, Times
from actors.journal import DueTimer, JournalRow, TurnWrite
from actors.slots import slot_of
from engine.behaviour import AlertRow, OutboxMessage, OutboxRow, RecordRow, TimerRow, TransactionRow


def _journal(turns: Sequence[TurnWrite]) -> dict[str, Any]:
    rows = [turn.row for turn in turns]
    return {
        "slots": BigInts([row.slot for row in rows]),
        "entities": Texts([row.entity_id for row in rows]),
        "seqs": BigInts([row.seq for row in rows]),
        "commands": Texts([row.command_id for row in rows]),
        "hashes": Bytes([row.input_hash for row in rows]),
        "times": Times([row.at for row in rows]),
        "bodies": Bytes([row.body for row in rows]),
        "chains": Bytes([row.chain for row in rows]),
        "metas": Bytes([row.meta for row in rows]),
    }


def _transactions(pairs: Sequence[tuple[JournalRow, TransactionRow]]) -> dict[str, Any]:
    return {
        "tx_slots": BigInts([row.slot for row, _ in pairs]),
        "tx_entities": Texts([row.entity_id for row, _ in pairs]),
        "tx_ids": Texts([tx.transaction_id for _, tx in pairs]),
        "tx_seqs": BigInts([row.seq for row, _ in pairs]),
        "tx_origins": Texts([tx.origin for _, tx in pairs]),
        "tx_sources": Texts([tx.source for _, tx in pairs]),
        "tx_externals": Texts([tx.external_id for _, tx in pairs]),
        "tx_statuses": Texts([tx.status for _, tx in pairs]),
        "tx_kinds": Texts([tx.kind for _, tx in pairs]),
        "tx_directions": Texts([tx.direction for _, tx in pairs]),
        "tx_amounts": BigInts([tx.amount for _, tx in pairs]),
        "tx_currencies": Texts([tx.currency for _, tx in pairs]),
        "tx_categories": Texts([tx.category for _, tx in pairs]),
        "tx_occurred": Times([tx.occurred_at for _, tx in pairs]),
        "tx_recorded": Times([tx.recorded_at for _, tx in pairs]),
        "tx_sealed": Bytes([tx.sealed for _, tx in pairs]),
    }


def _alerts(pairs: Sequence[tuple[JournalRow, AlertRow]]) -> dict[str, Any]:
    return {
        "al_slots": BigInts([row.slot for row, _ in pairs]),
        "al_entities": Texts([row.entity_id for row, _ in pairs]),
        "al_ids": Texts([alert.alert_id for _, alert in pairs]),
        "al_seqs": BigInts([alert.seq for _, alert in pairs]),
        "al_types": Texts([alert.type for _, alert in pairs]),
        "al_categories": Texts([alert.category for _, alert in pairs]),
        "al_times": Times([alert.at for _, alert in pairs]),
        "al_sealed": Bytes([alert.sealed for _, alert in pairs]),
    }


def _records(pairs: Sequence[tuple[JournalRow, RecordRow]]) -> dict[str, Any]:
    return {
        "re_slots": BigInts([row.slot for row, _ in pairs]),
        "re_entities": Texts([row.entity_id for row, _ in pairs]),
        "re_kinds": Texts([record.kind for _, record in pairs]),
        "re_ids": Texts([record.record_id for _, record in pairs]),
        "re_tenants": Texts([row.entity_id.partition("/")[0] for row, _ in pairs]),
        "re_seqs": BigInts([row.seq for row, _ in pairs]),
        "re_states": Texts([record.state for _, record in pairs]),
        "re_times": Times([record.at for _, record in pairs]),
        "re_amounts": BigInts([record.amount for _, record in pairs]),
        "re_currencies": Texts([record.currency for _, record in pairs]),
        "re_sealed": Bytes([record.sealed for _, record in pairs]),
    }


def _timers(pairs: Sequence[tuple[JournalRow, TimerRow]]) -> dict[str, Any]:
    return {
        "ti_slots": BigInts([row.slot for row, _ in pairs]),
        "ti_entities": Texts([row.entity_id for row, _ in pairs]),
        "ti_ids": Texts([timer.timer_id for _, timer in pairs]),
        "ti_dues": Times([timer.due for _, timer in pairs]),
        "ti_bodies": Bytes([timer.body or b"" for _, timer in pairs]),
    }


def _timers_gone(pairs: Sequence[tuple[JournalRow, TimerRow]]) -> dict[str, Any]:
    return {
        "tg_slots": BigInts([row.slot for row, _ in pairs]),
        "tg_entities": Texts([row.entity_id for row, _ in pairs]),
        "tg_ids": Texts([timer.timer_id for _, timer in pairs]),
    }


def _outbox(sent: Sequence[tuple[JournalRow, int, OutboxRow]]) -> dict[str, Any]:
    return {
        "ob_slots": BigInts([row.slot for row, _, _ in sent]),
        "ob_entities": Texts([row.entity_id for row, _, _ in sent]),
        "ob_channels": Texts([message.channel for _, _, message in sent]),
        "ob_seqs": BigInts([row.seq for row, _, _ in sent]),
        "ob_numbers": BigInts([number for _, number, _ in sent]),
        "ob_ids": Texts([message.outbox_id for _, _, message in sent]),
        "ob_bodies": Bytes([message.body for _, _, message in sent]),
        "ob_times": Times([row.at for row, _, _ in sent]),
    }


def message_columns(messages: Sequence[OutboxMessage]) -> dict[str, Any]:
    """Return the columns that name messages."""
    return {
        "slots": BigInts([slot_of(message.entity_id) for message in messages]),
        "entities": Texts([message.entity_id for message in messages]),
        "channels": Texts([message.channel for message in messages]),
        "seqs": BigInts([message.seq for message in messages]),
        "numbers": BigInts([message.number for message in messages]),
    }


class _Timers:
    """What a batch does to timers, one thing a key: set, deleted, or deleted as far as it is still due when it was."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[JournalRow, TimerRow | DueTimer]] = {}

    def fire(self, row: JournalRow, fired: DueTimer) -> None:
        key = row.entity_id, fired.timer_id
        set_before = self._last.get(key)
        if set_before is None:
            self._last[key] = (row, fired)
        elif type(set_before[1]) is TimerRow and set_before[1].body is not None and set_before[1].due == fired.due:
            self._last[key] = (row, TimerRow(fired.timer_id, fired.due, None))

    def keep(self, row: JournalRow, timer: TimerRow) -> None:
        self._last[row.entity_id, timer.timer_id] = (row, timer)

    def legs(self) -> dict[str, dict[str, Any]]:
        """Return the columns of each leg there is something for."""
        changed = [(row, timer) for row, timer in self._last.values() if isinstance(timer, TimerRow)]
        fired = [timer for _, timer in self._last.values() if isinstance(timer, DueTimer)]
        kept = [pair for pair in changed if pair[1].body is not None]
        gone = [pair for pair in changed if pair[1].body is None]
        legs: dict[str, dict[str, Any]] = {}
        if kept:
            legs["timers"] = _timers(kept)
        if gone:
            legs["timers_gone"] = _timers_gone(gone)
        if fired:
            legs["timers_fired"] = fired_columns(fired)
        return legs


def fired_columns(timers: Sequence[DueTimer]) -> dict[str, Any]:
    """Return the columns that delete timers without a turn."""
    return {
        "tf_slots": BigInts([slot_of(timer.entity_id) for timer in timers]),
        "tf_entities": Texts([timer.entity_id for timer in timers]),
        "tf_ids": Texts([timer.timer_id for timer in timers]),
        "tf_dues": Times([timer.due for timer in timers]),
    }


def columns(turns: Sequence[TurnWrite]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the legs a batch needs beside the journal's, and the columns of all of them."""
    transactions: dict[tuple[str, str], tuple[JournalRow, TransactionRow]] = {}
    alerts: dict[tuple[str, str], tuple[JournalRow, AlertRow]] = {}
    records: dict[tuple[str, str, str], tuple[JournalRow, RecordRow]] = {}
    timers = _Timers()
    outbox: list[tuple[JournalRow, int, OutboxRow]] = []
    for turn in turns:
        row, rows = turn.row, turn.rows
        for tx in rows.transactions:
            transactions[row.entity_id, tx.transaction_id] = (row, tx)
        for alert in rows.alerts:
            alerts[row.entity_id, alert.alert_id] = (row, alert)
        for record in rows.records:
            records[row.entity_id, record.kind, record.record_id] = (row, record)
        if turn.fired is not None:
            timers.fire(row, turn.fired)
        for timer in rows.timers:
            timers.keep(row, timer)
        outbox.extend((row, number, message) for number, message in enumerate(rows.outbox))
    legs: dict[str, dict[str, Any]] = {}
    if transactions:
        legs["transactions"] = _transactions(list(transactions.values()))
    if alerts:
        legs["alerts"] = _alerts(list(alerts.values()))
    if records:
        legs["records"] = _records(list(records.values()))
    legs |= timers.legs()
    if outbox:
        legs["outbox"] = _outbox(outbox)
    joined = _journal(turns)
    for leg in legs.values():
        joined.update(leg)
    return tuple(legs), joined
