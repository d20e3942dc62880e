"""Groups among the members: letters that wait, come again and overtake other pairs'; money is conserved."""

from collections import defaultdict, deque
from datetime import timedelta
from random import Random
from typing import Any, Literal

import msgspec
from hypothesis.stateful import initialize, invariant, rule
from typing_extensions import override

from engine import letters
from engine.behaviour import Context, Facts, Refused, TimerRow, Turn
from engine.commands.groups import AskJarContribution, ContributeToGroup
from engine.group_book import RESERVED, SETTLED, SHARE_STAGES
from engine.groups.commands import (
    Approve,
    InviteToGroup,
    JoinGroup,
    LeaveGroup,
    OpenGroup,
    PayOutShare,
    Propose,
    Reject,
)
from engine.groups.hosting import GROUP_BEHAVIOUR
from engine.groups.membership import split_code
from engine.groups.state import OUT, POT, GroupState
from engine.ledger import jar_account
from engine.letters import GROUP_MARK, Letter
from tests.machines.base import CHANCE, Base
from tests.machines.world import Member

GROUP = "goa"
GOA = GROUP_MARK + GROUP
PAYOUT: Literal["payout"] = "payout"
PURCHASE: Literal["purchase"] = "purchase"


class Group:
    """One group behind command ids, with its journal and what it sent."""

    def __init__(self, local_id: str) -> None:
        self.entity_id = f"main/{local_id}"
        self.state: GroupState = GROUP_BEHAVIOUR.initial(self.entity_id)
        self.bodies: list[bytes] = []
        self.carried_out: dict[str, bytes] = {}
        self.timers: dict[str, TimerRow] = {}
        self.sent: list[Letter] = []

    def submit(self, command_id: str, encoded: bytes, context: Context) -> Any:
        """Carry out a command once; return its answer, None for a repeat. Raises `Refused`."""
        if command_id in self.carried_out:
            assert self.carried_out[command_id] == encoded
            return None
        before = GROUP_BEHAVIOUR.encode_state(self.state)
        try:
            decision = GROUP_BEHAVIOUR.decide(self.state, GROUP_BEHAVIOUR.decode_command(encoded), Facts(), context)
        finally:
            assert GROUP_BEHAVIOUR.encode_state(self.state) == before
        self.bodies.append(GROUP_BEHAVIOUR.encode_turn(decision.events, decision.result))
        events, result = GROUP_BEHAVIOUR.decode_turn(self.bodies[-1])
        for event in events:
            GROUP_BEHAVIOUR.evolve(self.state, event)
        self.carried_out[command_id] = encoded
        self.sent += [letters.read(row.body) for row in decision.outbox if letters.is_letter(row)]
        turn = Turn(self.entity_id, len(self.bodies), context.at, events, result, decision.outbox)
        for timer in GROUP_BEHAVIOUR.rows(turn).timers:
            self.timers.pop(timer.timer_id, None)
            if timer.body is not None:
                self.timers[timer.timer_id] = timer
        return getattr(result, "view", None)

    def crash(self) -> None:
        """Lose the memory, and read the journal again."""
        known, self.state = self.state, GROUP_BEHAVIOUR.initial(self.entity_id)
        for number, body in enumerate(self.bodies):
            if number == len(self.bodies) // 2:
                self.state = GROUP_BEHAVIOUR.decode_state(GROUP_BEHAVIOUR.encode_state(self.state))
            for event in GROUP_BEHAVIOUR.decode_turn(body)[0]:
                GROUP_BEHAVIOUR.evolve(self.state, event)
        assert self.state == known


class Together(Base):
    """One group; whoever wants is a member of it."""

    @initialize(random=CHANCE)
    def found(self, random: Random) -> None:
        """Open the group with the first member; the machine's own `open` may come later."""
        self.groups = {GOA: Group(GOA)}
        self.read_letters: defaultdict[str, int] = defaultdict(int)
        self.post: defaultdict[tuple[str, str], deque[Letter]] = defaultdict(deque)
        self.told = 0

    @rule(random=CHANCE)
    def gather(self, random: Random) -> None:
        """Open the group once; invite and join."""
        host, guest = self._name(random), self._name(random)
        self._group(OpenGroup(name="Goa", currency="INR", member=host))
        made = self._group(InviteToGroup(member=host))
        if made is not None:
            self._group(JoinGroup(member=guest, secret=split_code(made["code"])[1], currency="INR"))

    @rule(random=CHANCE)
    def contribute(self, random: Random) -> None:
        """From the wallet, or from a jar under a code."""
        member = random.choice(self.members)
        amount = random.randint(1, 20_000)
        self.tell(member, ContributeToGroup(group_id=GROUP, group_name="Goa", currency="INR", amount=amount))
        currency = member.state.profile.currency
        held = {
            jar_id: member.state.ledger.balance(jar_account(jar_id, SETTLED), currency) for jar_id in member.state.jars
        }
        jar_id = max(held, key=lambda known: held[known])
        amount = max(1, held[jar_id] // random.randint(1, 3))
        self.tell(
            member,
            AskJarContribution(group_id=GROUP, group_name="Goa", currency="INR", amount=amount, jar_id=jar_id),
        )

    @rule(random=CHANCE)
    def decide_together(self, random: Random) -> None:
        """Proposals, approvals, payouts and farewells."""
        cost = random.choice([None, random.randint(1, 9_000)])
        kind = PAYOUT if cost is None else PURCHASE
        self._group(Propose(member=self._name(random), kind=kind, amount=cost, description="tent"))
        for one in list(self.groups[GOA].state.proposals.values()):
            for _ in range(random.randint(0, 3)):
                name = self._name(random)
                if random.random() < 0.1:
                    self._group(Reject(member=name, proposal_id=one.proposal_id, kind=one.kind))
                else:
                    self._group(Approve(member=name, proposal_id=one.proposal_id, kind=one.kind))
        if random.random() < 0.4:
            self._group(PayOutShare(member=self._name(random), amount=random.randint(1, 9_000)))
        if random.random() < 0.2:
            self._group(LeaveGroup(member=self._name(random)))

    @rule(random=CHANCE)
    def deliver(self, random: Random) -> None:
        """Some letters arrive, some of them twice; who receives may crash before or after."""
        for _ in range(random.randint(1, 6)):
            self._collect()
            waiting = [pair for pair, queue in self.post.items() if queue]
            if not waiting:
                return
            pair = random.choice(waiting)
            self._arrive(self.post[pair][0])
            if random.random() < 0.8:
                self.post[pair].popleft()
            if random.random() < 0.2:
                self.groups[GOA].crash()

    @invariant()
    def what_a_group_holds_is_its_members(self) -> None:
        """Shares are not below zero and sum to the pot; what left the pot is in payouts that wait."""
        for group in getattr(self, "groups", {}).values():
            state = group.state
            assert all(state.share(name) >= 0 for name in state.members)
            assert all(sum(book.values()) == 0 for book in state.ledger.balances.values())
            assert state.balance == sum(state.share(name) for name in state.members)

    @override
    def later(self, by: timedelta) -> None:
        super().later(by)
        group = self.groups[GOA]
        for timer in sorted(group.timers.values(), key=lambda timer: timer.due):
            if timer.due <= self.at and timer.body is not None:
                del group.timers[timer.timer_id]
                group.submit(f"timer:{timer.timer_id}:{timer.due.isoformat()}", timer.body, self._context(group))

    @override
    def teardown(self) -> None:
        """When every letter has arrived, the members hold of the group what the group holds of them."""
        if hasattr(self, "groups") and hasattr(self, "members"):
            self._settle()
            for local_id, group in self.groups.items():
                self._mirrored(local_id, group.state)
            assert not any(member.state.groups.pledges for member in self.members)
        super().teardown()

    def _mirrored(self, local_id: str, state: GroupState) -> None:
        for member in self.members:
            books = member.state.ledger.balances.get("INR", {})
            mirrored = sum(books.get(f"group:{local_id[1:]}:{stage}", 0) for stage in (RESERVED, *SHARE_STAGES))
            assert mirrored == state.share(member.entity_id.split("/")[1])
        assert state.ledger.balance(OUT, "INR") == 0
        assert state.ledger.balance(POT, "INR") == state.balance

    def _settle(self) -> None:
        self._collect()
        while waiting := [pair for pair, queue in self.post.items() if queue]:
            self._arrive(self.post[waiting[0]].popleft())
            self._collect()

    def _collect(self) -> None:
        """Put what was sent since the last time into the letter boxes, in order a pair."""
        for member in self.members:
            name = member.entity_id.split("/")[1]
            sent = [letters.read(row.body) for row in member.outbox if letters.is_letter(row)]
            for one in sent[self.read_letters[name] :]:
                self.post[name, one.to].append(one)
            self.read_letters[name] = len(sent)
        for local_id, group in self.groups.items():
            for one in group.sent[self.read_letters[local_id] :]:
                self.post[local_id, one.to].append(one)
            self.read_letters[local_id] = len(group.sent)

    def _arrive(self, one: Letter) -> None:
        if one.to.startswith(GROUP_MARK):
            group = self.groups.setdefault(one.to, Group(one.to))
            group.submit(one.command_id, bytes(one.command), self._context(group))
            return
        member = next(m for m in self.members if m.entity_id == f"main/{one.to}")
        turn = member.submit(one.command_id, Member.decode(bytes(one.command)), self.at)
        assert turn is not None, f"a letter was refused: {member.refusals[-1].detail}"

    def _group(self, command: Any) -> Any:
        self.told += 1
        try:
            group = self.groups[GOA]
            return group.submit(f"g{self.told}", msgspec.msgpack.encode(command), self._context(group))
        except Refused:
            return None

    def _context(self, group: Group) -> Context:
        self.ids += 1
        number = self.ids * 1_000
        ids = (f"019aa000-0000-7000-9000-{one:012d}" for one in range(number, number + 1_000))
        return Context(self.at, len(group.bodies) + 1, ids.__next__, None, self.members[0].outside)

    def _name(self, random: Random) -> str:
        return random.choice(self.members).entity_id.split("/")[1]
