"""What `serve` calls: implements `actors.runtime.Runtime` over a transport and the journal."""

from asyncio import get_running_loop, timeout
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import psycopg
from msgspec import DecodeError
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from typing_extensions import override

from actors import postgres
from actors.feed import stored_frame
from actors.gathered import Gathered
from actors.journal import StoredTurn
from actors.kinds import Kinds, hosted
from actors.lane import Answers, Lane, LaneLimits
from actors.measures import LaneMeasures
from actors.messages import Envelope, Frame, Outcome, Pull, Pulled
from actors.meters import Series
from actors.runtime import Unavailable
from actors.slots import shard_of
from actors.tracing import TRACES, some
from actors.transport import Transport, TransportLost
from actors.wire import decode_pulled, encode_pull
from engine.behaviour import Behaviour

PULL_GRACE_S = 5.0
"""How much longer than it asked for a long-poll may take before its shard counts as lost."""

HEADS_MAX = 500
HISTORIES_MAX = 50
"""Entities read with one query; of each at most as many turns as was asked for."""

Asked = tuple[str, int, int]
"""Whose history, after which seq, how many turns."""


class Sender:
    """Commands and reads for the shards of an instance, coalesced: what one entity needs to reach another."""

    def __init__(self, transport: Transport, shards: int, limits: LaneLimits | None = None) -> None:
        self._transport = transport
        self._shards = shards
        limits = limits or LaneLimits()
        self.measures = LaneMeasures(on=limits.measure)
        self._lanes = [Lane(shard, transport, limits, self.measures) for shard in range(shards)]

    async def submit(self, envelope: Envelope) -> Outcome:
        """See `Runtime.submit`. Raises `Unavailable` at once when the queue is full, else after the deadline."""
        lane = self._lane(envelope.entity_id)
        if not lane.room_for(1):
            self.measures.unavailable.inc()
            raise Unavailable(f"{lane.waiting} commands wait for this shard")
        answers = Answers(1, get_running_loop().create_future())
        lane.send(envelope, answers, 0)
        await answers.future
        outcome = answers.outcomes[0]
        if outcome.status == "unavailable":
            raise Unavailable(outcome.problem.detail if outcome.problem else "not carried out in time")
        return outcome

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """See `Runtime.submit_many`. What could not be carried out in time has the outcome `unavailable`.

        Raises `Unavailable`, and carries out nothing, when a queue has no room for its part.
        """
        if TRACES.on and envelopes and envelopes[0].meta.trace:
            envelopes = some(envelopes)
        shards = [self.shard_of(envelope.entity_id) for envelope in envelopes]
        for shard, part in Counter(shards).items():
            if not self._lanes[shard].room_for(part):
                self.measures.unavailable.inc(by=len(envelopes))
                raise Unavailable(f"{self._lanes[shard].waiting} commands wait for a shard of this batch")
        answers = Answers(len(envelopes), get_running_loop().create_future())
        for index, (shard, envelope) in enumerate(zip(shards, envelopes, strict=True)):
            self._lanes[shard].send(envelope, answers, index)
        await answers.future
        return answers.outcomes

    def shard_of(self, entity_id: str) -> int:
        """See `Runtime.shard_of`."""
        return shard_of(entity_id, self._shards)

    @property
    def shards(self) -> int:
        """See `Runtime.shards`."""
        return self._shards

    def series(self) -> list[Series]:
        """Return what went to the shards from here, and what waits."""
        for number, lane in enumerate(self._lanes):
            self.measures.waiting.set(lane.waiting, str(number))
            self.measures.in_flight.set(lane.calls, str(number))
        return self.measures.series()

    def _lane(self, entity_id: str) -> Lane:
        return self._lanes[self.shard_of(entity_id)]

    async def close(self) -> None:
        """End what is in flight. The pool is its giver's to close."""
        for lane in self._lanes:
            await lane.close()


class Client(Sender):
    """`Runtime` for one process. `pool` is open, and of `actors.connections.pool`."""

    def __init__(
        self,
        transport: Transport,
        shards: int,
        behaviours: Kinds | Behaviour,
        pool: AsyncConnectionPool[Any],
        limits: LaneLimits | None = None,
    ) -> None:
        super().__init__(transport, shards, limits)
        self._kinds = hosted(behaviours)
        self._pool = pool
        self._heads = Gathered[str, int](self._read_heads, lambda waiting: list(islice(waiting, HEADS_MAX)), 0)
        self._histories = Gathered[Asked, list[StoredTurn]](self._read_histories, alike, [])

    async def history(self, entity_id: str, after: int, limit: int) -> list[Frame]:
        """See `Runtime.history`. Raises `Unavailable`. Read together with what others ask for meanwhile."""
        found = await self._histories.ask((entity_id, after, limit))
        return [stored_frame(self._kinds.of(entity_id), entity_id, turn) for turn in found]

    async def head(self, entity_id: str) -> int:
        """See `Runtime.head`. Raises `Unavailable`. Read together with what others ask for meanwhile."""
        return await self._heads.ask(entity_id)

    @override
    async def close(self) -> None:
        """See `Sender.close`."""
        await self._heads.close()
        await self._histories.close()
        await super().close()

    async def _read_heads(self, entity_ids: Sequence[str]) -> Mapping[str, int]:
        try:
            async with self._pool.connection() as connection:
                return await postgres.heads(connection, entity_ids)
        except (psycopg.Error, PoolTimeout) as error:
            raise Unavailable(f"the journal cannot be read: {error}") from error

    async def _read_histories(self, asked: Sequence[Asked]) -> Mapping[Asked, list[StoredTurn]]:
        wanted = [(entity_id, after) for entity_id, after, _ in asked]
        try:
            async with self._pool.connection() as connection:
                found = await postgres.histories(connection, wanted, asked[0][2])
        except (psycopg.Error, PoolTimeout) as error:
            raise Unavailable(f"the journal cannot be read: {error}") from error
        return {one: found[one[0]] for one in asked if one[0] in found}

    async def pull(self, shard: int, request: Pull) -> Pulled:
        """See `Runtime.pull`. Raises `Unavailable`: pull again with the same set."""
        try:
            async with timeout(request.wait_s + PULL_GRACE_S):
                return decode_pulled(await self._transport.pull(shard, encode_pull(request)))
        except (TransportLost, DecodeError, TimeoutError) as error:
            raise Unavailable(f"shard {shard} does not answer: {error}") from error


def alike(waiting: Iterable[Asked]) -> list[Asked]:
    """Return histories that fit into one query: of as many turns each as the oldest, and of an entity only one."""
    chosen: dict[str, Asked] = {}
    limit = None
    for asked in waiting:
        entity_id, _, turns = asked
        if limit is None:
            limit = turns
        if turns == limit and entity_id not in chosen:
            chosen[entity_id] = asked
            if len(chosen) == HISTORIES_MAX:
                break
    return list(chosen.values())
