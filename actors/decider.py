"""Carries out one envelope after the other on the entities in memory; each outcome waits for its commit."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal

from msgspec import DecodeError

from actors import codec
from actors.cause import about
from actors.committer import Committer
from actors.entity import Activation, Lifecycle
from actors.journal import DueTimer, KnownCommand, Reading
from actors.kinds import Kinds, UnknownKind
from actors.messages import LETTER, Meta, Outcome, Problem
from actors.residents import Residents
from actors.turns import Batch, Item, Twin, poisoned, unavailable
from actors.wire import encode_meta
from engine.behaviour import Behaviour, Facts, Refused, Turn

_log = logging.getLogger(__name__)

OPENING_ID = "open"
_NO_FACTS = Facts()
_KEY_REUSED = Outcome(
    "refused",
    problem=Problem("key_reused", "this command id was already used with another input; a new command needs a new id"),
)


class StaleMemory(Exception):
    """The journal holds a turn that memory does not: memory must be dropped."""


def refusal(refused: Refused) -> Outcome:
    """Return the outcome of a command or query the domain refuses."""
    return Outcome("refused", problem=Problem(refused.code, refused.detail, list(refused.errors), refused.extra))


def _about(item: Item) -> dict[str, Any]:
    """Return what a log line says of an envelope. Not its command id: it may hold a reference that a user chose."""
    return about(entity=item.envelope.entity_id, request_id=item.envelope.meta.request_id)


def _decode(behaviour: Behaviour, encoded: bytes) -> Any:
    return behaviour.decode_command(encoded)


class Decider:
    """The turn loop's inside: no I/O, no awaiting, so a turn is never interleaved with another."""

    def __init__(
        self,
        kinds: Kinds,
        residents: Residents,
        committer: Committer,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        snapshot_every: int,
        leapt: Callable[[], bool],
    ) -> None:
        """`leapt`: whether the clock was ever put forward, so that timers see the time they were due at."""
        self._kinds = kinds
        self._residents = residents
        self._committer = committer
        self._now = now
        self._new_id = new_id
        self._snapshot_every = snapshot_every
        self._leapt = leapt
        self._defaults: Callable[[Any, bytes], Any] = lru_cache(maxsize=64)(_decode)
        self.applied_at = now()

    def read(self, item: Item) -> bool:
        """Decode an envelope and learn what it needs; answer it and return False when that cannot be done."""
        envelope = item.envelope
        try:
            behaviour = self._kinds.of(envelope.entity_id)
            if envelope.command_id is None:
                item.command = behaviour.decode_query(envelope.body)
            else:
                item.command = behaviour.decode_command(envelope.body)
                item.input_hash = sha256(envelope.body).digest()
                needs = behaviour.needs(item.command)
                if needs is not None:
                    item.needs, item.identities = needs.transaction_ids, needs.identities
        except Refused as refused:
            item.resolve(refusal(refused))
        except UnknownKind as error:
            item.resolve(Outcome("refused", problem=Problem("not_found", str(error))))
        except DecodeError as error:
            if item.fires is None and not envelope.final and envelope.meta.origin != LETTER:
                item.resolve(Outcome("refused", problem=Problem("invalid", str(error))))
            else:
                _log.exception("cannot read %s", envelope.command_id, extra=_about(item))
                item.resolve(poisoned("this release cannot read the command; a newer one may"))
        except Exception:
            _log.exception("cannot read an envelope", extra=_about(item))
            item.resolve(poisoned("the command cannot be read"))
        else:
            return True
        return False

    def carry_out(self, item: Item, activation: Activation, reading: Reading) -> None:
        """Carry out one envelope; its outcome leaves when everything it rests on is committed.

        Raises `StaleMemory` without an answer: the envelope is to be carried out again on fresh memory.
        """
        envelope = item.envelope
        if item.call.broken and envelope.entity_id in item.call.broken:
            item.resolve(unavailable("an earlier command of this call for the same entity was not carried out"))
            return
        try:
            if envelope.opening is not None and not activation.opened:
                self._open(activation, item, envelope.opening)
            if envelope.command_id is None:
                outcome = self._query(item, activation)
            else:
                outcome = self._command(item, activation, reading, envelope.command_id)
        except Refused as refused:
            outcome = refusal(refused)
        except StaleMemory:
            raise
        except Exception:
            _log.exception("cannot carry out %s", type(item.command).__name__, extra=_about(item))
            outcome = poisoned("the command failed inside the domain; nothing of it was kept")
        if activation.pending is None:
            item.resolve(outcome)
        else:
            activation.pending.replies.append((item, outcome))
        if activation.lifecycle is not Lifecycle.ACTIVE:
            self._residents.retire(activation)

    def _open(self, activation: Activation, item: Item, defaults: bytes) -> None:
        """Run the command that must come first, if it has not yet, as a turn of its own."""
        encoded = bytes(defaults)
        opening = activation.behaviour.opening(activation.state, self._defaults(activation.behaviour, encoded))
        if opening is not None:
            digest = sha256(encoded).digest()
            self._turn(activation, opening, OPENING_ID, digest, item.meta, _NO_FACTS)
        activation.opened = True

    def _time(self, activation: Activation, fires: DueTimer | None = None) -> datetime:
        """Return the time as an entity sees it: never before its last turn, nor before a timer that fires is due.

        A clock may have been put back since the timer was found to be due.
        """
        now = self._now()
        if fires is not None and (now < fires.due or self._leapt()):
            now = fires.due
        return now if now > activation.at else activation.at

    def _query(self, item: Item, activation: Activation) -> Outcome:
        answer = activation.behaviour.query(activation.state, item.command, self._time(activation), activation.seq)
        return Outcome("read", activation.seq, answer)

    def _command(self, item: Item, activation: Activation, reading: Reading, command_id: str) -> Outcome:
        key = (activation.entity_id, command_id)
        twin = self._committer.twin(key) or self._known(activation, reading.commands.get(key))
        if twin is not None:
            if twin.input_hash != item.input_hash:
                return _KEY_REUSED
            answer = activation.behaviour.answer(twin.turn, duplicate=True)
            return self._outcome(activation, "replayed", twin.turn, answer)
        looks_back = item.needs or item.identities
        facts = self._facts(activation, item, reading) if looks_back else _NO_FACTS
        turn, answer = self._turn(activation, item.command, command_id, item.input_hash, item.meta, facts, item)
        return self._outcome(activation, "done", turn, answer)

    @staticmethod
    def _outcome(activation: Activation, status: Literal["done", "replayed"], turn: Turn, answer: bytes) -> Outcome:
        refused = activation.behaviour.declined(turn)
        return Outcome(status, turn.seq, answer) if refused is None else refusal(refused)

    def _known(self, activation: Activation, known: KnownCommand | None) -> Twin | None:
        """Return the turn of a command that the journal already holds."""
        if known is None:
            return None
        if known.seq > activation.seq:
            raise StaleMemory(f"{activation.entity_id} is at seq {activation.seq}, the journal at {known.seq} or later")
        events, result = activation.behaviour.decode_turn(codec.unpack(known.body))
        return Twin(known.input_hash, Turn(activation.entity_id, known.seq, known.at, events, result))

    def _facts(self, activation: Activation, item: Item, reading: Reading) -> Facts:
        entity_id, decode = activation.entity_id, activation.behaviour.decode_transaction
        found = {}
        for transaction_id in item.needs:
            key = (entity_id, transaction_id)
            sealed = self._committer.sealed(key) or reading.transactions.get(key)
            if sealed is not None:
                found[transaction_id] = decode(sealed)
        return Facts(found, self._identified(activation, item, reading))

    def _identified(self, activation: Activation, item: Item, reading: Reading) -> dict[tuple[str, str, str], Any]:
        entity_id, decode = activation.entity_id, activation.behaviour.decode_transaction
        found = {}
        for identity in item.identities:
            key = (entity_id, *identity)
            sealed = self._committer.identified(key) or reading.identities.get(key)
            if sealed is not None:
                found[identity] = decode(sealed)
        return found

    def _turn(
        self,
        activation: Activation,
        command: Any,
        command_id: str,
        input_hash: bytes,
        meta: Meta,
        facts: Facts,
        item: Item | None = None,
    ) -> tuple[Turn, bytes]:
        """Decide, apply, and append to the forming batch. Raises `Refused`."""
        fires = None if item is None else item.fires
        at = self._time(activation, fires)
        final = item is not None and item.envelope.final
        turn, body = activation.decide(command, facts, at, self._new_id, final=final)
        decided = activation.prepare(turn, body, command_id, input_hash, encode_meta(meta), fires)
        activation.apply(decided)
        batch = self._committer.forming
        batch.writes.append(decided.write)
        batch.made.append((activation, turn, meta))
        batch.twins[activation.entity_id, command_id] = Twin(input_hash, turn)
        for row in decided.write.rows.transactions:
            batch.sealed[activation.entity_id, row.transaction_id] = row.sealed
            batch.identified[activation.entity_id, row.origin, row.source, row.external_id] = row.sealed
        activation.pending = batch
        self.applied_at = at
        if activation.seq - activation.snapshot_seq >= self._snapshot_every:
            self._snapshot(activation, batch)
        return turn, decided.answer

    @staticmethod
    def _snapshot(activation: Activation, batch: Batch) -> None:
        """Take a snapshot that is kept once the batch is committed; one that fails only costs a longer replay."""
        activation.snapshot_seq = activation.seq
        try:
            batch.snapshots.append(activation.snapshot())
        except Exception:
            _log.exception("cannot take a snapshot", extra=about(entity=activation.entity_id))
