"""What a runtime does to an entity: commands that come again, are lost before their commit, and memory that goes."""

from random import Random

from hypothesis.stateful import rule

from tests.machines.base import CHANCE, COMMANDS, Base


class Accidents(Base):
    """Any command of the union to anybody; repeats, losses and crashes between any two steps."""

    @rule(random=CHANCE)
    def carry_out_anything(self, random: Random) -> None:
        """Some commands, mostly with ids that exist."""
        member = random.choice(self.members)
        for _ in range(random.randint(1, 8)):
            self.tell(member, self.anything(random, member).one_of(COMMANDS))

    @rule(random=CHANCE)
    def repeat(self, random: Random) -> None:
        """A command comes again under its id: the turn is the first one."""
        member = random.choice(self.members)
        command_id, (encoded, turn) = random.choice(list(member.carried_out.items()))
        seq = member.seq
        again = member.submit(command_id, member.decode(encoded), self.at)
        assert again is turn
        assert member.seq == seq

    @rule(random=CHANCE)
    def lose_before_the_commit(self, random: Random) -> None:
        """A crash between decision and commit: nothing happened, and the same command then goes through."""
        member = random.choice(self.members)
        command = self.anything(random, member).one_of(COMMANDS)
        member.lose(command, self.at)
        self.tell(member, command)

    @rule(random=CHANCE)
    def crash(self, random: Random) -> None:
        """Memory goes; the journal, from the start or from a snapshot, gives it back."""
        member = random.choice(self.members)
        member.crash(random.choice([None, random.randint(1, member.seq)]))
