"""The port between the client and the processes that host shards."""

from typing import Protocol


class TransportLost(Exception):
    """A shard did not answer: whether it did what was asked is not known. The same may be asked again."""


class Transport(Protocol):
    """Carries encoded messages to shards. Both raise `TransportLost`."""

    async def submit(self, shard: int, blob: bytes) -> bytes:
        """Deliver encoded envelopes, return encoded outcomes (`actors.wire`)."""

    async def pull(self, shard: int, blob: bytes) -> bytes:
        """Deliver an encoded pull, return an encoded answer (`actors.wire`)."""
