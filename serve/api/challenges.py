"""The second factor over REST: the body that confirms, and the answer that asks for a code."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from engine.commands import Command, Confirm
from engine.commands.types import TEXT_END, ExternalId
from serve.api.routing import Answer, Call
from serve.outside import proof


class Confirmation(Struct, frozen=True, forbid_unknown_fields=True):
    """The code that was sent for a challenge: six digits."""

    challenge_id: ExternalId
    code: Annotated[str, Meta(pattern="^[0-9]{6}" + TEXT_END)]


class ChallengeView(Struct, frozen=True):
    """A code was sent to the person; until then nothing has happened."""

    challenge_id: str
    expires_at: datetime


REFUSALS = (
    (403, "The code is wrong; `tries_left` says how often another may be tried"),
    (409, "It cannot be done now; the code stays good"),
    (410, "The code was used or has expired"),
    (429, "Five wrong codes were tried"),
)
"""For `also` of a route that confirms."""


class _Asked(Struct, frozen=True):
    """What an answer that asks for a code begins with."""

    challenge_id: str = ""


def asked(answer: Answer) -> Answer:
    """Return an answer as 202 when it asks for a code instead of acting."""
    if not msgspec.json.decode(answer.body, type=_Asked).challenge_id:
        return answer
    return Answer(answer.body, 202, answer.headers)


async def confirm(call: Call, action: type[Command], status: int = 200, **where: str) -> Answer:
    """Carry out the `action` of the body's challenge; `where` are fields of it that the path names.

    Without an idempotency key each attempt is a command of its own; the right code twice gets the first answer twice.
    """
    body: Confirmation = call.body
    command = Confirm(
        challenge_id=body.challenge_id,
        proof=proof(call.services.keys, body.challenge_id, body.code),
        action=str(action.__struct_config__.tag),
        where=where,
    )
    return await call.tell(command, status)
