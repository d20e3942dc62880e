"""Leaderboards: who takes part by choice, under a name that tells nothing, with a score that is set, never added to.

The truth is a record beside the journal (`RecordRow`, one a member), written by the turn that scores. The sorted set
that answers fast is filled by the outbox channel `score` and can be made anew from them.
"""

from hashlib import sha256

import msgspec
from msgspec import Struct

from engine.behaviour import OutboxRow, RecordRow
from engine.events.saving_challenges import SavingChallengeScored

CHANNEL = "score"
SHOWN, GONE = "shown", "gone"
_FIRST = "Amber Brave Calm Clever Eager Gentle Happy Jolly Keen Lucky Merry Nimble Proud Quiet Swift Witty".split()
_SECOND = "Badger Crane Dolphin Falcon Gecko Heron Ibis Koala Lynx Mynah Otter Panda Robin Stork Tiger Yak".split()


class Score(Struct, frozen=True, array_like=True):
    """A member's score on a leaderboard; None takes the member off."""

    leaderboard_id: str
    member: str
    pseudonym: str
    score: int | None


def kind_of(leaderboard_id: str) -> str:
    """Return the kind under which a leaderboard's records are kept."""
    return f"board:{leaderboard_id}"


def generated(seed: str) -> str:
    """Return a pseudonym for who chose none."""
    digest = sha256(seed.encode()).digest()
    return f"{_FIRST[digest[0] % len(_FIRST)]} {_SECOND[digest[1] % len(_SECOND)]} {digest[2] % 90 + 10}"


def member_of(seed: str) -> str:
    """Return a member's id on a leaderboard: nobody can tell whose it is."""
    return sha256(f"member:{seed}".encode()).hexdigest()[:16]


def message(outbox_id: str, event: SavingChallengeScored) -> OutboxRow:
    """Return what carries a score to the sorted set."""
    score = Score(event.leaderboard_id, event.member, event.pseudonym, event.score)
    return OutboxRow(outbox_id, CHANNEL, msgspec.msgpack.encode(score))


def read(body: bytes) -> Score:
    """Decode what `message` made."""
    return msgspec.msgpack.decode(body, type=Score)


def record(event: SavingChallengeScored) -> RecordRow:
    """Return the row that keeps a score."""
    state = SHOWN if event.score is not None else GONE
    sealed = event.pseudonym.encode()
    return RecordRow(kind_of(event.leaderboard_id), event.member, state, event.at, event.score or 0, "", sealed)
