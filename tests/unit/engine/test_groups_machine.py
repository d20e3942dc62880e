"""Persons and groups under arbitrary interleaving: duplicates, letters that overtake, crashes between any two steps.

Nothing is lost, nothing is made, no share is below zero, and every transfer ends once its letters have arrived.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from engine.behaviour import Refused
from engine.commands.groups import AskJarContribution, ContributeToGroup
from engine.events.groups import GroupPaidOut
from engine.group_book import ACCRUED, RESERVED, SCHEDULED, SETTLED, SHARE_STAGES, group_account
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
from engine.groups.events import PayoutBegun, ProposalClosed, ShareCredited
from engine.groups.membership import split_code
from engine.groups.state import OUT, POT
from engine.ledger import PROMISED, jar_account
from engine.letters import GROUP_MARK
from tests.support.town import Town

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
PEOPLE = ("asha", "ben", "chandra")
GROUPS = ("goa", "gift")

people = st.sampled_from(PEOPLE)
groups = st.sampled_from(GROUPS)
amounts = st.integers(1, 500)
kinds = st.sampled_from(("purchase", "payout"))


class GroupsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.town = Town(AT)
        self.given = dict.fromkeys(PEOPLE, 0)

    @initialize()
    def open(self) -> None:
        for user_id in PEOPLE:
            self.town.person(user_id)
            self.town.settle(user_id, 1_000)
            self.given[user_id] = 1_000
        for group_id in GROUPS:
            self.town.tell(GROUP_MARK + group_id, OpenGroup(name=group_id, currency="INR", member="asha"))
            self.join(group_id, "asha", "ben")
        for user_id in ("asha", "ben"):
            self.contribute("goa", user_id, 300)
        self.town.deliver_all()

    def tell(self, to: str, command: Any) -> Any:
        with suppress(Refused):
            return self.town.tell(to, command)
        return None

    @rule(group_id=groups, host=people, user_id=people)
    def join(self, group_id: str, host: str, user_id: str) -> None:
        made = self.tell(GROUP_MARK + group_id, InviteToGroup(member=host, uses=2))
        if made is not None:
            known, secret = split_code(made["code"])
            assert known == group_id
            self.tell(GROUP_MARK + group_id, JoinGroup(member=user_id, secret=secret, currency="INR"))

    @rule(group_id=groups, user_id=people, amount=amounts)
    def contribute(self, group_id: str, user_id: str, amount: int) -> None:
        self.tell(user_id, ContributeToGroup(group_id=group_id, group_name="g", currency="INR", amount=amount))

    @rule(group_id=groups, user_id=people, amount=amounts)
    def contribute_from_jar(self, group_id: str, user_id: str, amount: int) -> None:
        asked = self.tell(
            user_id,
            AskJarContribution(
                group_id=group_id,
                group_name="g",
                currency="INR",
                amount=amount,
                jar_id=self.town.person(user_id).default_jar_id,
            ),
        )
        if asked is not None:
            with suppress(Refused):
                self.town.confirm(user_id, asked, "contribute_from_jar")

    @rule(group_id=groups, user_id=people)
    def leave(self, group_id: str, user_id: str) -> None:
        self.tell(GROUP_MARK + group_id, LeaveGroup(member=user_id))

    @rule(group_id=groups, user_id=people, amount=amounts)
    def pay_out(self, group_id: str, user_id: str, amount: int) -> None:
        self.tell(GROUP_MARK + group_id, PayOutShare(member=user_id, amount=amount))

    @rule(group_id=groups, user_id=people, amount=amounts, kind=kinds)
    def propose(self, group_id: str, user_id: str, amount: int, kind: Any) -> None:
        cost = amount if kind == "purchase" else None
        self.tell(GROUP_MARK + group_id, Propose(member=user_id, kind=kind, amount=cost, description="tent"))

    @rule(group_id=groups, user_id=people, amount=st.none() | amounts, which=st.integers(0, 9))
    def approve(self, group_id: str, user_id: str, amount: int | None, which: int) -> None:
        known = list(self.town.group(group_id).proposals.values())
        if known:
            one = known[which % len(known)]
            self.tell(
                GROUP_MARK + group_id,
                Approve(member=user_id, proposal_id=one.proposal_id, kind=one.kind, amount=amount),
            )

    @rule(group_id=groups, user_id=people, which=st.integers(0, 9))
    def reject(self, group_id: str, user_id: str, which: int) -> None:
        known = list(self.town.group(group_id).proposals.values())
        if known:
            one = known[which % len(known)]
            self.tell(GROUP_MARK + group_id, Reject(member=user_id, proposal_id=one.proposal_id, kind=one.kind))

    @rule(which=st.integers(0, 20), acknowledged=st.booleans())
    def deliver(self, which: int, acknowledged: bool) -> None:
        pairs = sorted(self.town.post)
        if pairs:
            self.town.deliver(pairs[which % len(pairs)], acknowledged=acknowledged)

    @rule(user_id=people, status=st.sampled_from(("done", "done", "failed")))
    def host_reports(self, user_id: str, status: Literal["done", "failed"]) -> None:
        if self.town.orders[user_id]:
            self.town.report(user_id, status)

    @rule(who=st.sampled_from((*PEOPLE, *(GROUP_MARK + g for g in GROUPS))))
    def crash(self, who: str) -> None:
        before = self.town.citizens[who].state
        self.town.crash(who)
        assert self.town.citizens[who].state == before

    @rule(days=st.integers(1, 8))
    def wait(self, days: int) -> None:
        self.town.wait(self.town.at + timedelta(days=days))

    @rule()
    def all_arrive(self) -> None:
        self.town.deliver_all()
        for user_id in PEOPLE:
            assert not self.town.person(user_id).groups.pledges
        for group_id in GROUPS:
            group = self.town.group(group_id)
            assert not group.payouts
            assert group.ledger.balance(OUT, "INR") == 0
            for user_id in PEOPLE:
                assert group.share(user_id) == self.mirror(user_id, group_id)
                assert (user_id in group.members) == (group_id in self.town.person(user_id).groups.memberships)

    def mirror(self, user_id: str, group_id: str) -> int:
        ledger = self.town.person(user_id).ledger
        return sum(ledger.balance(group_account(group_id, stage), "INR") for stage in SHARE_STAGES)

    @invariant()
    def groups_belong_to_their_members(self) -> None:
        for group_id in GROUPS:
            group = self.town.group(group_id)
            shares = {user_id: group.share(user_id) for user_id in PEOPLE}
            assert all(share >= 0 for share in shares.values())
            assert all(user_id in group.members for user_id, share in shares.items() if share)
            assert group.balance == sum(shares.values())
            assert -group.ledger.balance(OUT, "INR") == sum(p.amount for p in group.payouts.values())
            assert sum(group.ledger.balances.get("INR", {}).values()) == 0
            for proposal in group.proposals.values():
                assert set(proposal.approved) <= set(group.members)

    @invariant()
    def persons_have_what_they_have(self) -> None:
        for user_id in PEOPLE:
            state = self.town.person(user_id)
            book = state.ledger.balances.get("INR", {})
            assert sum(book.values()) == 0
            assert all(amount >= 0 for account, amount in book.items() if account.startswith("jar:"))
            for group_id in GROUPS:
                assert self.mirror(user_id, group_id) >= 0
                for stage in (RESERVED, ACCRUED, SCHEDULED):
                    assert book.get(group_account(group_id, stage), 0) >= 0
            jar_id = state.default_jar_id
            from_jar = sum(p.amount for p in state.groups.pledges.values() if p.jar_id)
            assert book.get(jar_account(jar_id, RESERVED), 0) == from_jar
            in_jar = sum(amount for account, amount in book.items() if account.startswith("jar:"))
            assert state.jars[jar_id].saved == in_jar
            of_groups = {account: amount for account, amount in book.items() if account.startswith("group:")}
            promised = sum(amount for account, amount in of_groups.items() if not account.endswith(SETTLED))
            assert -book.get(PROMISED, 0) == promised

    @invariant()
    def money_is_neither_made_nor_lost_between_entities(self) -> None:
        """A share, and what is on its way out, is the owner's mirror of it but for the letters still to arrive."""
        for group_id in GROUPS:
            group = self.town.citizens[GROUP_MARK + group_id]
            for user_id in PEOPLE:
                expected = self.mirror(user_id, group_id) + self.on_its_way(user_id, group_id)
                out = sum(p.amount for p in group.state.payouts.values() if p.member == user_id)
                assert group.state.share(user_id) + out == expected

    def on_its_way(self, user_id: str, group_id: str) -> int:
        """Return what the owner of a share has not heard of yet, and what the group has not heard of the owner."""
        owner, group = self.town.citizens[user_id], self.town.citizens[GROUP_MARK + group_id]
        amount = 0
        for turn in group.turns:
            for event in turn.events:
                if isinstance(event, ShareCredited) and event.transfer_id in owner.state.groups.pledges:
                    amount += event.amount if event.member == user_id else 0
                elif isinstance(event, PayoutBegun) and event.transfer_id in group.state.payouts:
                    taken = owner.known.get(f"xfer:{event.transfer_id}:credit")
                    if event.member == user_id and taken and isinstance(taken[1].events[0], GroupPaidOut):
                        amount += event.amount
                elif isinstance(event, ProposalClosed) and f"xfer:{event.proposal_id}:spend" not in owner.known:
                    amount -= event.parts.get(user_id, 0) if event.postings else 0
        return amount

    @override
    def teardown(self) -> None:
        if self.town.citizens:
            self.all_arrive()
            pots = sum(self.town.group(g).ledger.balance(POT, "INR") for g in GROUPS)
            assert pots == sum(self.mirror(u, g) for u in PEOPLE for g in GROUPS)


TestGroupsMachine = GroupsMachine.TestCase
TestGroupsMachine.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
