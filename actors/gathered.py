"""Reads of many callers made into few queries: what is asked while queries are under way goes out with the next one.

Under a storm of resumes the journal is asked once for a hundred users; a caller alone waits for nobody. In order of
asking, a bounded number of queries at a time, so that a storm leaves connections to others. An answer is never older
than its question: nobody joins a query that has been sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar, cast

from actors.runtime import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Gathered(Generic[K, V]):
    """One kind of read. `choose` takes from the keys that wait, oldest first, those of the next query: at least one.

    `read` answers them; a key that is not in its answer was not found, and whoever asked gets `missing`.
    """

    def __init__(
        self,
        read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        choose: Callable[[Iterable[K]], list[K]],
        missing: V,
        *,
        in_flight_max: int = 2,
        waiting_max: int = 20_000,
    ) -> None:
        self._read, self._choose, self._missing = read, choose, missing
        self._in_flight_max, self._waiting_max = in_flight_max, waiting_max
        self._waiting: dict[K, asyncio.Future[V | Exception]] = {}
        self._queries: set[asyncio.Task[None]] = set()

    async def ask(self, key: K) -> V:
        """Return the answer for a key. Raises what `read` raised, and `Unavailable` when too many wait."""
        answer = self._waiting.get(key)
        if answer is None:
            if len(self._waiting) >= self._waiting_max:
                raise Unavailable(f"{len(self._waiting)} reads of the journal wait")
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            if len(self._queries) < self._in_flight_max:
                query = asyncio.create_task(self._run())
                self._queries.add(query)
                query.add_done_callback(self._queries.discard)
        # Others may wait for the same answer: one that goes away does not take it with it.
        found = await asyncio.shield(answer)
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        """End the queries under way; whoever waits is told `Unavailable`."""
        for query in tuple(self._queries):
            query.cancel()
        await asyncio.gather(*self._queries, return_exceptions=True)
        waiting, self._waiting = self._waiting, {}
        _tell(waiting, Unavailable("this process is stopping"))

    async def _run(self) -> None:
        while self._waiting:
            keys = self._choose(self._waiting)
            asked = {key: self._waiting.pop(key) for key in keys}
            try:
                found = await self._read(keys)
            except Exception as error:
                _tell(asked, error)
            except asyncio.CancelledError:
                _tell(asked, Unavailable("this process is stopping"))
                raise
            else:
                for key, answer in asked.items():
                    if not answer.done():
                        answer.set_result(found.get(key, self._missing))


def _tell(asked: Mapping[K, "asyncio.Future[V | Exception]"], error: Exception) -> None:
    for answer in asked.values():
        if not answer.done():
            cast("asyncio.Future[object]", answer).set_result(error)
