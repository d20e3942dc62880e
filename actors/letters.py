"""Delivers letters: a command of one entity for another of the same tenant, through the client, to whichever shard.

A letter is through when its command was carried out, or was refused by a decision of the target. If the letter asks
for it, the sender hears of a refusal as a command of its own; the target then keeps the refusal in its journal, so
that the same letter, come twice, is not refused first and carried out afterwards. Everything else (a shard that does
not answer, a bug that breaks the command, an id that another command has taken) is no answer: the letter is sent again
under the same id. A shard never waits for another to make progress on its own turns, so shards that write to each
other cannot dead-lock.
"""

import logging

from actors.cause import REQUEST_ID, TRACE, about
from actors.client import Sender
from actors.messages import LETTER, Envelope, Meta, Outcome
from actors.shard import EntityShard
from actors.transport import Transport, TransportLost
from actors.wire import decode_envelopes, encode_outcomes
from engine import letters
from engine.behaviour import OutboxMessage

_log = logging.getLogger(__name__)

_NO_ANSWER = ("poison", "key_reused")


class NotDelivered(Exception):
    """The target did not decide on the command: nothing is known to be refused."""


class OwnShard:
    """`Transport` from inside a shard: what is for itself goes straight into its queue, the rest to `others`."""

    def __init__(self, shard: int, others: Transport | None) -> None:
        self._shard = shard
        self._others = others
        self._own: EntityShard | None = None

    def submits_to(self, own: EntityShard) -> None:
        """Say which shard this is the inside of."""
        self._own = own

    async def submit(self, shard: int, blob: bytes) -> bytes:
        """See `Transport.submit`."""
        if shard == self._shard and self._own is not None:
            return encode_outcomes(await self._own.submit(decode_envelopes(blob)))
        if self._others is None:
            raise TransportLost(f"there is no way to shard {shard}")
        return await self._others.submit(shard, blob)

    async def pull(self, shard: int, blob: bytes) -> bytes:
        """Raise: nobody listens to a feed from inside a shard."""
        raise TransportLost(f"shard {self._shard} pulls nothing from shard {shard} ({len(blob)} bytes)")


class Letters:
    """The `Handler` of channel `letter`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def __call__(self, message: OutboxMessage) -> None:
        """Deliver a letter, and its refusal. Raises `NotDelivered`, `Unavailable` and `msgspec.DecodeError`."""
        letter = letters.read(message.body)
        tenant, _, _ = message.entity_id.partition("/")
        wants_refusal = letter.on_refused is not None
        target = f"{tenant}/{letter.to}"
        outcome = await self._send(message, target, letter.command_id, bytes(letter.command), final=wants_refusal)
        if outcome.problem is None:
            return
        _log.warning(
            "letter %s was refused by %s: %s",
            letter.command_id,
            letter.to,
            outcome.problem.code,
            extra=about(entity=message.entity_id),
        )
        if letter.on_refused is not None:
            await self._send(message, message.entity_id, f"{letter.command_id}:refused", letter.on_refused)

    async def _send(
        self, message: OutboxMessage, entity_id: str, command_id: str, command: bytes, *, final: bool = False
    ) -> Outcome:
        meta = Meta(message.entity_id, LETTER, REQUEST_ID.get() or message.outbox_id, TRACE.get())
        outcome = await self._sender.submit(Envelope(entity_id, command_id, command, meta, final=final))
        if outcome.problem is not None and outcome.problem.code in _NO_ANSWER:
            raise NotDelivered(f"{command_id} for {entity_id}: {outcome.problem.detail}")
        return outcome
