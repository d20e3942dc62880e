"""The second factor: an action waits until the person names the code that was sent to them.

A code has six digits, lives five minutes and bears five tries. The challenge keeps the very command that is carried
out: confirming names a challenge, never an action. What arrives of a code is its keyed digest, the `proof`, made
where the request came in: neither a command nor its hash in the journal gives the code to who reads the database.
Rules: docs/domain.md, "Second factor".
"""

from datetime import timedelta
from hmac import compare_digest
from typing import Any

import msgspec
from msgspec import Struct

from engine.behaviour import Context, OutboxRow, Refused
from engine.challenge_book import OPEN_MAX, TRIES_MAX, WRONG_A_DAY_MAX, Challenge
from engine.commands import Command, Confirm
from engine.events import ChallengeIssued, ChallengeTried
from engine.state import UserState
from engine.views import Declined

LIFE = timedelta(minutes=5)


class Issued(Struct, frozen=True):
    """What a decision that asks for a second factor consists of; `view` is its answer."""

    events: list[ChallengeIssued]
    outbox: list[OutboxRow]
    view: dict[str, Any]


class Kept(Struct, frozen=True):
    """The same right code once more: the answer the first one got."""

    answer: dict[str, Any]


class Wrong(Struct, frozen=True):
    """A wrong code: counted, and refused."""

    event: ChallengeTried
    result: Declined


def name_of(action: Command) -> str:
    """Return what an action is called in messages and in `Confirm.action`."""
    return str(type(action).__struct_config__.tag)


def issue(state: UserState, action: Command, context: Context) -> Issued:
    """Ask for a second factor before `action`; it must need no old rows (`Needs`). Refuses (429) a flood."""
    book = state.challenges
    if sum(challenge.waits(context.at) for challenge in book.known.values()) >= OPEN_MAX:
        raise Refused("too_many", f"{OPEN_MAX} challenges wait for their code; confirm one, or let it expire")
    if book.wrong_on(context.at) >= WRONG_A_DAY_MAX:
        raise Refused("too_many", f"{WRONG_A_DAY_MAX} wrong codes came today; new ones are sent tomorrow (UTC)")
    challenge_id, code = context.new_id(), context.outside.new_code()
    event = ChallengeIssued(
        challenge_id=challenge_id,
        at=context.at,
        expires_at=context.at + LIFE,
        action=action,
        digest=context.outside.digest(challenge_id, code),
    )
    expires_at = event.expires_at.isoformat()
    message = {
        "user_id": state.user_id,
        "channel": "otp",
        "template": name_of(action),
        "code": code,
        "challenge_id": challenge_id,
        "expires_at": expires_at,
        "action": msgspec.to_builtins(action),
    }
    row = OutboxRow(challenge_id, "notify", msgspec.msgpack.encode(message))
    return Issued([event], [row], {"challenge_id": challenge_id, "expires_at": expires_at})


def spent_notice(state: UserState, challenge: Challenge) -> OutboxRow:
    """Return the notification that takes back the one with the code: it is used, and nobody needs to read it."""
    body = {"user_id": state.user_id, "channel": "otp", "template": "spent", "spent": challenge.challenge_id}
    return OutboxRow(f"{challenge.challenge_id}:spent", "notify", msgspec.msgpack.encode(body))


def confirm(state: UserState, command: Confirm, context: Context) -> Challenge | Kept | Wrong:
    """Return the challenge whose action may be carried out now, or what else the code comes to.

    Raises `Refused`: 404 for a challenge of another user or action, 410 for a spent or expired one, 429 after 5 tries
    of it or 20 of a day.
    """
    challenge = state.challenges.known.get(command.challenge_id)
    if challenge is None or not _meant(challenge.action, command):
        raise Refused("not_found", f"there is no challenge {command.challenge_id!r} for this")
    right = compare_digest(challenge.digest, command.proof)
    if challenge.answer is not None:
        if right:
            return Kept(challenge.answer)
        raise Refused("gone", "the code was used already; ask for a new one")
    if context.at >= challenge.expires_at:
        raise Refused("gone", "the code has expired; ask for a new one")
    if challenge.tries >= TRIES_MAX:
        raise Refused("too_many", f"{TRIES_MAX} wrong codes were tried; ask for a new one")
    if state.challenges.wrong_on(context.at) >= WRONG_A_DAY_MAX:
        raise Refused("too_many", f"{WRONG_A_DAY_MAX} wrong codes came today; ask for a new one tomorrow (UTC)")
    if right:
        return challenge
    left = TRIES_MAX - challenge.tries - 1
    return Wrong(
        ChallengeTried(challenge_id=challenge.challenge_id, at=context.at),
        Declined("forbidden", f"the code is wrong; {left} tries are left", {"tries_left": left}),
    )


def _meant(action: Command, command: Confirm) -> bool:
    """Whether a challenge is for what the caller confirms: the same action on the same object."""
    return name_of(action) == command.action and all(
        getattr(action, name, None) == value for name, value in command.where.items()
    )


def view(event: ChallengeIssued) -> dict[str, str]:
    """Return a challenge as the wire shows it."""
    return {"challenge_id": event.challenge_id, "expires_at": event.expires_at.isoformat()}
