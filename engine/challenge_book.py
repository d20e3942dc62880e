"""The challenges of one user: what was asked for, under which code it may happen, and what came of it."""

from datetime import datetime
from typing import Any

from msgspec import Struct, field

from engine.commands import Command
from engine.events import ChallengeIssued, ChallengeSpent, ChallengeTried

TRIES_MAX = 5
OPEN_MAX = 5
"""Challenges that wait for their code at once."""
KEPT_MAX = 20
"""Challenges a state remembers, the spent and expired ones among them: beyond, the oldest is unknown again."""
WRONG_A_DAY_MAX = 20
"""Wrong codes in one UTC day after which no challenge is given or confirmed: a guesser has 20 in a million a day."""


class Challenge(Struct, kw_only=True):
    """One challenge; `digest` is keyed (`Outside.digest`), `answer` is kept once it is spent."""

    challenge_id: str
    action: Command
    digest: str
    expires_at: datetime
    tries: int = 0
    answer: dict[str, Any] | None = None

    def waits(self, at: datetime) -> bool:
        """Whether the right code would still carry out the action."""
        return self.answer is None and self.tries < TRIES_MAX and at < self.expires_at


class ChallengeBook(Struct):
    """Challenges by id, oldest first; wrong codes are counted by UTC day."""

    known: dict[str, Challenge] = field(default_factory=dict)
    wrong_day: int = 0
    wrong: int = 0

    def wrong_on(self, at: datetime) -> int:
        """Return how many wrong codes came on the day of an instant."""
        return self.wrong if self.wrong_day == at.toordinal() else 0

    def issued(self, event: ChallengeIssued) -> None:
        """Take over a challenge; the oldest that waits no longer makes room for it."""
        while len(self.known) >= KEPT_MAX:
            gone = next((c for c in self.known.values() if not c.waits(event.at)), None)
            del self.known[gone.challenge_id if gone else next(iter(self.known))]
        self.known[event.challenge_id] = Challenge(
            challenge_id=event.challenge_id, action=event.action, digest=event.digest, expires_at=event.expires_at
        )

    def tried(self, event: ChallengeTried) -> None:
        """Count a wrong code."""
        self.known[event.challenge_id].tries += 1
        self.wrong, self.wrong_day = self.wrong_on(event.at) + 1, event.at.toordinal()

    def spent(self, event: ChallengeSpent) -> None:
        """Keep the answer of an action that was carried out."""
        self.known[event.challenge_id].answer = event.answer
