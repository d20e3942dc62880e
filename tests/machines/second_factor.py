"""Codes: the right one, a wrong one, late, again, and after a crash."""

from random import Random

import msgspec
from hypothesis.stateful import rule

from engine.challenges import name_of
from engine.commands import Confirm
from tests.machines.base import CHANCE, Base
from tests.machines.world import Member


class SecondFactor(Base):
    """Whatever asks for a code gets one, sooner or later."""

    @rule(random=CHANCE)
    def confirm(self, random: Random) -> None:
        """Answer each challenge a member was sent, mostly with the right code."""
        member = random.choice(self.members)
        for challenge_id, code in codes(member).items():
            if random.random() < 0.3:
                member.crash(random.choice([None, member.seq]))
            given = code if random.random() < 0.7 else "000000"
            known = member.state.challenges.known.get(challenge_id)
            if known is not None:
                proof = member.outside.digest(challenge_id, given)
                self.tell(member, Confirm(challenge_id=challenge_id, proof=proof, action=name_of(known.action)))


def codes(member: Member) -> dict[str, str]:
    """Return the codes that left for the person, by challenge; the last few."""
    sent = [msgspec.msgpack.decode(row.body) for row in member.outbox if row.channel == "notify"]
    return {message["challenge_id"]: message["code"] for message in sent[-8:] if "code" in message}
