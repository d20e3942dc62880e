"""What must be true of a world at its end, whatever happened in it; a violation is a line of text."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from msgspec import json

from actors import chain, codec
from actors.journal import JournalRow
from actors.slots import shard_of
from tests.simulation.history import Call
from tests.simulation.world import World
from tests.support.counter import Counter, Paid, Rang, Reminded, State, TakenBack, Written

_COUNTER = Counter()


class Life:
    """An entity's journal, replayed: its balance after each turn."""

    def __init__(self, entity_id: str, rows: list[JournalRow]) -> None:
        self.entity_id, self.rows = entity_id, rows
        self.events: list[list[Any]] = [list(_COUNTER.decode_turn(codec.unpack(row.body).tobytes())[0]) for row in rows]
        state: State = _COUNTER.initial(entity_id)
        self.balances = [0]
        for events in self.events:
            for event in events:
                _COUNTER.evolve(state, event)
            self.balances.append(state.balance)
        self.by_command = {row.command_id: row.seq for row in rows}


def violations(world: World) -> list[str]:
    """Return everything that is wrong."""
    lives = {entity_id: Life(entity_id, rows) for entity_id, rows in world.database.store.rows.items()}
    checks = (_journals, _terms, _acknowledged, _order, _reads, _timers, _money)
    return [line for check in checks for line in check(world, lives)]


def _journals(_world: World, lives: dict[str, Life]) -> Iterator[str]:
    for life in lives.values():
        if [row.seq for row in life.rows] != list(range(1, len(life.rows) + 1)):
            yield f"{life.entity_id}: seq has holes: {[row.seq for row in life.rows]}"
        if len(life.by_command) != len(life.rows):
            yield f"{life.entity_id}: a command made two turns"
        try:
            chain.verify(life.entity_id, life.rows)
        except chain.BrokenChain as broken:
            yield f"{life.entity_id}: {broken}"


def _terms(world: World, _lives: dict[str, Life]) -> Iterator[str]:
    newest: dict[int, int] = {}
    for at, shard, term, made in world.database.committed:
        if term < newest.get(shard, 0):
            yield f"double activation: shard {shard} committed {made} at term {term} after {newest[shard]}, {at:.3f}"
        newest[shard] = max(term, newest.get(shard, 0))


def _acknowledged(world: World, lives: dict[str, Life]) -> Iterator[str]:
    answers: dict[tuple[str, str], Any] = {}
    for call in world.history.calls:
        command_id, outcome = call.envelope.command_id, call.outcome
        if command_id is None or outcome is None:
            continue
        life = lives.get(call.envelope.entity_id)
        seq = life.by_command.get(command_id) if life is not None else None
        where = f"{call.envelope.entity_id} {command_id}"
        if outcome.status == "refused":
            if seq is not None:
                yield f"{where}: refused, and yet turn {seq}"
            continue
        if seq != outcome.seq:
            yield f"{where}: acknowledged as turn {outcome.seq}, the journal has {seq}"
        assert outcome.body is not None
        answer = {**json.decode(outcome.body), "duplicate": None}
        if answers.setdefault((call.envelope.entity_id, command_id), answer) != answer:
            yield f"{where}: two answers: {answers[call.envelope.entity_id, command_id]} and {answer}"


def _order(world: World, lives: dict[str, Life]) -> Iterator[str]:
    """One client waits for each answer before it sends the next: its turns are in that order."""
    last: dict[tuple[int, str], int] = {}
    for call in world.history.calls:
        if call.envelope.command_id is None or call.outcome is None or call.outcome.status != "done":
            continue
        key = (call.client, call.envelope.entity_id)
        if call.outcome.seq <= last.get(key, 0):
            yield f"{key}: {call.envelope.command_id} is turn {call.outcome.seq}, after turn {last[key]}"
        last[key] = call.outcome.seq


def _known(calls: list[Call], at: float) -> int:
    """Return the newest turn anybody had been told of by `at`."""
    return max(
        (call.outcome.seq for call in calls if call.outcome and call.ended is not None and call.ended <= at), default=0
    )


def _reads(world: World, lives: dict[str, Life]) -> Iterator[str]:
    """A read shows all that anyone was told of before it began, as it stood at its seq, and nothing uncommitted."""
    calls: defaultdict[str, list[Call]] = defaultdict(list)
    for call in world.history.calls:
        calls[call.envelope.entity_id].append(call)
    committed = {(entity_id, seq): at for at, _, _, made in world.database.committed for entity_id, seq in made}
    for entity_id, of_entity in calls.items():
        for call in of_entity:
            if call.envelope.command_id is not None or call.outcome is None or call.outcome.body is None:
                continue
            shown, seq = json.decode(call.outcome.body), call.outcome.seq
            before = _known(of_entity, call.began)
            if seq < before:
                yield f"{entity_id}: a read at {call.began:.3f} showed turn {seq}, {before} was known before (stale)"
            life = lives.get(entity_id)
            if life is None or seq > len(life.rows):
                yield f"{entity_id}: a read showed turn {seq}, which is not in the journal"
                continue
            if shown["balance"] != life.balances[seq]:
                yield f"{entity_id}: at turn {seq} a read showed {shown['balance']}, not {life.balances[seq]}"
            if seq and call.ended is not None and committed[entity_id, seq] > call.ended:
                yield f"{entity_id}: a read showed turn {seq} before it was committed"


def _timers(_world: World, lives: dict[str, Life]) -> Iterator[str]:
    for life in lives.values():
        due = {event.timer_id: event.due for events in life.events for event in events if isinstance(event, Reminded)}
        rung = [event for events in life.events for event in events if isinstance(event, Rang)]
        if sorted(event.timer_id for event in rung) != sorted(due):
            yield f"{life.entity_id}: timers set {sorted(due)}, rung {sorted(event.timer_id for event in rung)}"
        for event in rung:
            if event.timer_id in due and event.at < due[event.timer_id]:
                yield f"{life.entity_id}: {event.timer_id} rang at {event.at}, due {due[event.timer_id]}"


def _money(world: World, lives: dict[str, Life]) -> Iterator[str]:
    """What letters carried arrived once; nothing else moved between entities."""
    outside = sent = arrived = 0
    for life in lives.values():
        for events in life.events:
            for event in events:
                match event:
                    case Paid(transaction_id=transaction_id, amount=amount) if transaction_id.startswith("letter-"):
                        arrived += amount
                    case Paid(amount=amount):
                        outside += amount
                    case TakenBack(amount=amount):
                        outside -= amount
                    case Rang():
                        outside += 1
                    case Written(amount=amount):
                        sent += amount
    if sent != arrived:
        yield f"letters carried {sent} out and {arrived} in"
    total = sum(life.balances[-1] for life in lives.values())
    if total != outside + arrived - sent:
        yield f"all balances are {total}, what came from outside is {outside}"
    if waiting := [message.outbox_id for _, message in world.database.store.waiting if message.channel != "log"]:
        yield f"messages never delivered: {waiting}"


def shards_of(world: World) -> dict[str, int]:
    """Return where each entity lives, for the person who reads a failure."""
    return {entity_id: shard_of(entity_id, world.shards) for entity_id in world.entities}
