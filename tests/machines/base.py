"""What every machine stands on: a few members, a clock, and what must hold after each rule."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import get_args

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from typing_extensions import override

from engine.behaviour import Turn
from engine.commands import Command, OpenUser, SetBudget
from engine.commands.groups import (
    HearFromGroup,
    NoteLeaving,
    NoteMembership,
    PostContribution,
    TakePayout,
    TakePurchase,
    VoidContribution,
)
from tests.machines.anything import Anything
from tests.machines.world import REFUSALS, Member, check_reads, check_rows

START = datetime(2026, 10, 20, 6, tzinfo=UTC)


class Chance(Random):
    """A source of choices that says its seed when a story fails."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._seed = seed

    @override
    def __repr__(self) -> str:
        return f"Chance({self._seed})"


LETTERS = {PostContribution, VoidContribution, NoteMembership, NoteLeaving, TakePayout, TakePurchase, HearFromGroup}
"""What only another entity sends: it comes by letter, or not at all."""
COMMANDS = [kind for kind in get_args(Command) if kind not in LETTERS]
CHANCE = st.builds(Chance, st.integers(0, 2**32 - 1))
"""Seeds instead of Hypothesis' own draws: a story of forty steps would use up what an example may draw."""


class Base(RuleBasedStateMachine):
    """`tell` is how a rule set speaks to a member; a refusal is an answer like any other."""

    MEMBERS = 3

    @initialize(random=CHANCE)
    def open(self, random: Random) -> None:
        """Open the members; their choices differ."""
        self.at = START
        self.ids = 0
        self.members = [Member(number) for number in range(self.MEMBERS)]
        for member in self.members:
            member.submit("open", OpenUser(auto_saving=random.choice(["on", "on", "off"])), self.at)
            self.tell(member, SetBudget(category="food", limit=random.choice([20_000, 100_000])))
            self.tell(member, SetBudget(category="overall", limit=200_000))

    def tell(self, member: Member, command: Command) -> Turn | None:
        """Submit a new command now; None when it was refused."""
        self.ids += 1
        return member.submit(f"c{self.ids}", command, self.at)

    def anything(self, random: Random, member: Member) -> Anything:
        """Return the maker of values as of now; ids are the member's, seldom another's."""
        known = member if random.random() < 0.97 else random.choice(self.members)
        return Anything(random, known.seen, self.at)

    def later(self, by: timedelta) -> None:
        """Let time pass for everybody: timers fire when they are due."""
        self.at += by
        for member in self.members:
            member.wait(self.at)

    @rule(minutes=st.one_of(st.integers(1, 60 * 30), st.integers(60 * 24 * 3, 60 * 24 * 40)))
    def wait(self, minutes: int) -> None:
        """Let time pass."""
        self.later(timedelta(minutes=minutes))

    @rule()
    def read(self) -> None:
        """Two reads never disagree; a refusal is of a known kind."""
        for member in self.members:
            check_reads(member, self.at)
            check_rows(member)
            assert {refused.code for refused in member.refusals} <= REFUSALS

    @override
    def teardown(self) -> None:
        for member in getattr(self, "members", []):
            check_reads(member, self.at)
            check_rows(member)
            member.crash()
            member.crash(snapshot_at=member.seq // 2)
