"""The port through which `serve` reaches the actors: what a gateway or a REST handler may ask of the runtime."""

from collections.abc import Sequence
from typing import Protocol

from actors.messages import Envelope, Frame, Outcome, Pull, Pulled


class Unavailable(Exception):
    """The runtime cannot take or finish this now; nothing is known to be lost. Retry after `retry_after_s`."""

    def __init__(self, detail: str, retry_after_s: float = 1.0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Runtime(Protocol):
    """Commands and reads, coalesced into few Ray calls; history and feeds for the live gateway."""

    async def submit(self, envelope: Envelope) -> Outcome:
        """Carry out one command, or answer one query. Retries `unavailable` for a bounded time, then raises it."""

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """Carry out many, answers in order; envelopes of one entity are carried out in the order given."""

    async def history(self, entity_id: str, after: int, limit: int) -> list[Frame]:
        """Return committed turns with seq > `after`, oldest first, at most `limit`, from the journal."""

    async def head(self, entity_id: str) -> int:
        """Return the last committed seq of an entity, 0 for one without turns."""

    async def pull(self, shard: int, request: Pull) -> Pulled:
        """Long-poll the feed of one shard."""

    def shard_of(self, entity_id: str) -> int:
        """Return the shard that hosts an entity now."""

    @property
    def shards(self) -> int:
        """Return how many shards there are."""
