"""What an iteration must know before it decides: entities that are not in memory, command ids, old rows."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from actors.cause import about
from actors.committer import Committer
from actors.entity import Activation
from actors.journal import Journal, Question, Reading
from actors.kinds import Kinds
from actors.measures import ShardMeasures
from actors.residents import Residents
from actors.turns import Item

_log = logging.getLogger(__name__)


class Activator:
    """Reads for a shard: one round trip an iteration, more only when very many entities wake up at once."""

    def __init__(
        self,
        kinds: Kinds,
        journal: Journal,
        residents: Residents,
        committer: Committer,
        now: Callable[[], datetime],
        recoveries_max: int,
        measures: ShardMeasures,
    ) -> None:
        self._kinds = kinds
        self._journal = journal
        self._residents = residents
        self._committer = committer
        self._now = now
        self._recoveries_max = recoveries_max
        self._measures = measures
        self.unreadable: set[str] = set()
        """Entities whose journal the last `prepare` could not read: their commands fail, the others' do not."""

    async def prepare(self, items: Sequence[Item]) -> Reading | None:
        """Activate what `items` address and read what they need; None when memory was dropped meanwhile.

        Entities that cannot be read are left out of memory. Raises `JournalError`.
        """
        generation = self._residents.generation
        unknown = list(
            dict.fromkeys(i.envelope.entity_id for i in items if i.envelope.entity_id not in self._residents)
        )
        self.unreadable.clear()
        reading = Reading()
        for question in self._questions(items, unknown):
            answer = await self._journal.read(question)
            if self._residents.generation != generation:
                return None
            damaged = self._activate(question.entities, answer)
            if damaged:
                whole = await self._journal.read(Question((), damaged))
                if self._residents.generation != generation:
                    return None
                self.unreadable.update(self._activate(damaged, whole))
                self._measures.unreadable.inc(by=len(self.unreadable))
            reading.commands.update(answer.commands)
            reading.transactions.update(answer.transactions)
            reading.identities.update(answer.identities)
        return reading

    def _questions(self, items: Sequence[Item], unknown: Sequence[str]) -> Iterator[Question]:
        commands: list[tuple[str, str]] = []
        transactions: list[tuple[str, str]] = []
        identities: list[tuple[str, str, str, str]] = []
        for item in items:
            entity_id, command_id = item.envelope.entity_id, item.envelope.command_id
            if command_id is not None and self._committer.twin((entity_id, command_id)) is None:
                commands.append((entity_id, command_id))
            transactions.extend((entity_id, transaction_id) for transaction_id in item.needs)
            identities.extend((entity_id, *identity) for identity in item.identities)
        schemas = self._kinds.schemas
        first, rest = unknown[: self._recoveries_max], unknown[self._recoveries_max :]
        if first or commands or transactions or identities:
            yield Question(schemas, first, commands, transactions, identities)
        for start in range(0, len(rest), self._recoveries_max):
            yield Question(schemas, rest[start : start + self._recoveries_max])

    def _activate(self, entity_ids: Sequence[str], answer: Reading) -> list[str]:
        """Take in what can be activated; return what cannot."""
        damaged = []
        for entity_id in entity_ids:
            activation = Activation(self._kinds.of(entity_id), entity_id, self._now())
            tail = answer.tails.get(entity_id, ())
            try:
                activation.activate(answer.snapshots.get(entity_id), tail)
            except Exception:
                _log.exception("cannot activate an entity from its journal", extra=about(entity=entity_id))
                damaged.append(entity_id)
            else:
                self._residents.add(activation)
                self._measures.activations.inc()
                self._measures.replayed_turns.inc(by=len(tail))
        return damaged
