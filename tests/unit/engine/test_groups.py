"""Rules of groups that need more than a worked example: limits, full books, lost members, what people are told."""

from datetime import UTC, datetime, timedelta

import pytest

from engine import ledger
from engine.behaviour import Refused
from engine.commands.groups import (
    ContributeFromJar,
    ContributeToGroup,
    HearFromGroup,
    NoteMembership,
    PostContribution,
    VoidContribution,
)
from engine.group_book import MEMBERSHIPS_MAX, PLEDGES_MAX
from engine.groups.commands import (
    Approve,
    CreditShare,
    ExpireProposal,
    InviteToGroup,
    JoinGroup,
    LeaveGroup,
    OpenGroup,
    PayOutShare,
    Propose,
    Reject,
    SettlePayout,
)
from engine.groups.membership import INVITES_MAX, MEMBERS_MAX, split_code
from engine.groups.proposals import PROPOSALS_MAX
from engine.groups.views import GetGroup, GetProposals, answer
from engine.jars import activity
from tests.support.town import USERS, Citizen, Town

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def town() -> Town:
    made = Town(AT)
    for user_id in ("asha", "ben"):
        made.person(user_id)
    made.tell("~goa", OpenGroup(name="Goa", currency="INR", member="asha", member_name="Asha"))
    made.tell("~goa", JoinGroup(member="ben", secret=secret(made), currency="INR"))
    made.deliver_all()
    return made


def secret(town: Town, **options: int) -> str:
    group_id, found = split_code(town.tell("~goa", InviteToGroup(member="asha", **options))["code"])
    assert group_id == "goa"
    return found


def contribute(town: Town, user_id: str, amount: int) -> None:
    town.tell(user_id, ContributeToGroup(group_id="goa", group_name="Goa", currency="INR", amount=amount))
    town.deliver_all()
    town.report_all()


def refusal(town: Town, to: str, command: object) -> str:
    with pytest.raises(Refused) as refused:
        town.tell(to, command)  # type: ignore[arg-type]
    return refused.value.code


def test_what_was_approved_and_paid_out_meanwhile_is_not_taken(town: Town) -> None:
    contribute(town, "asha", 200)
    contribute(town, "ben", 100)
    tent = town.tell("~goa", Propose(member="asha", kind="purchase", amount=150))["proposal_id"]
    town.tell("~goa", PayOutShare(member="asha", amount=150))
    answered = town.tell("~goa", Approve(member="ben", kind="purchase", proposal_id=tent, amount=50))
    assert answered["status"] == "open"
    assert town.group("goa").shares() == {"asha": 50, "ben": 100}


def test_approvals_that_came_to_more_than_the_amount_are_cut_in_their_order(town: Town) -> None:
    contribute(town, "asha", 200)
    contribute(town, "ben", 100)
    town.tell("~goa", JoinGroup(member="cai", secret=secret(town), currency="INR"))
    tent = town.tell("~goa", Propose(member="asha", kind="purchase", amount=150))["proposal_id"]
    town.tell("~goa", PayOutShare(member="asha", amount=150))
    town.tell("~goa", Approve(member="ben", kind="purchase", proposal_id=tent, amount=90))
    town.person("cai")
    contribute(town, "asha", 150)
    done = town.tell("~goa", Reject(member="cai", kind="purchase", proposal_id=tent))
    assert (done["status"], done["approved"]) == ("done", {"asha": 100, "ben": 50})
    assert town.group("goa").shares() == {"asha": 100, "ben": 50}


def test_a_payout_its_owner_has_no_room_for_is_a_share_again(town: Town) -> None:
    contribute(town, "asha", 200)
    town.tell("~goa", LeaveGroup(member="asha"))
    town.person("asha").ledger.volume["INR"] = ledger.VOLUME_MAX
    town.deliver_all()
    group = town.group("goa")
    assert (group.shares(), group.payouts, group.members["asha"].leaving) == ({"asha": 200}, {}, False)
    town.person("asha").ledger.volume["INR"] = 0
    town.tell("~goa", LeaveGroup(member="asha"))
    town.deliver_all()
    assert list(town.group("goa").members) == ["ben"]


def test_full_books_of_a_group_give_a_contribution_back(town: Town) -> None:
    town.group("goa").ledger.volume["INR"] = ledger.VOLUME_MAX
    contribute(town, "asha", 200)
    assert town.person("asha").ledger.is_empty or not any(town.person("asha").ledger.balances["INR"].values())
    assert "came back" in town.person("asha").alerts.recent[-1].message


def test_full_books_of_a_member_do_not_stop_what_was_reserved_before(town: Town) -> None:
    command = ContributeToGroup(group_id="goa", group_name="Goa", currency="INR", amount=200)
    town.tell("asha", command)
    town.person("asha").ledger.volume["INR"] = ledger.VOLUME_MAX
    town.deliver_all()
    assert not town.person("asha").groups.pledges
    assert refusal(town, "asha", command) == "conflict"


def test_a_payout_is_not_begun_twice(town: Town) -> None:
    contribute(town, "asha", 200)
    town.tell("~goa", PayOutShare(member="asha", amount=50))
    assert refusal(town, "~goa", PayOutShare(member="asha", amount=50)) == "conflict"
    assert refusal(town, "~goa", LeaveGroup(member="asha")) == "conflict"
    town.deliver_all()
    town.tell("~goa", PayOutShare(member="asha", amount=50))


def test_a_group_that_never_was_gives_back(town: Town) -> None:
    town.tell("asha", ContributeToGroup(group_id="none", group_name="?", currency="INR", amount=5))
    town.deliver_all()
    assert not town.person("asha").groups.pledges
    assert not town.group("none").is_open


def test_letters_about_what_is_over_change_nothing(town: Town) -> None:
    for to, command in (
        ("asha", PostContribution(transfer_id="t")),
        ("asha", VoidContribution(transfer_id="t", reason="?")),
        ("~goa", SettlePayout(transfer_id="t")),
        ("~goa", ExpireProposal(proposal_id="p")),
    ):
        town.tell(to, command)
        assert not town.citizens[to].turns[-1].events


def test_strangers_see_no_group(town: Town) -> None:
    contribute(town, "asha", 10)
    for command in (
        InviteToGroup(member="eve"),
        LeaveGroup(member="eve"),
        PayOutShare(member="eve", amount=1),
        Propose(member="eve", kind="payout"),
        Approve(member="eve", kind="payout", proposal_id="p"),
        Reject(member="eve", kind="payout", proposal_id="p"),
    ):
        assert refusal(town, "~goa", command) == "not_found"
    for query in (GetGroup("eve"), GetProposals("eve", "payout")):
        with pytest.raises(Refused, match="no group"):
            answer(town.group("goa"), query)


def test_a_code_ends_by_time_by_use_and_is_known_by_its_secret(town: Town) -> None:
    once = secret(town, uses=1)
    town.tell("~goa", JoinGroup(member="cai", secret=once, currency="INR"))
    assert refusal(town, "~goa", JoinGroup(member="dee", secret=once, currency="INR")) == "not_found"
    late = secret(town, days=1)
    town.wait(AT + timedelta(days=1))
    assert refusal(town, "~goa", JoinGroup(member="dee", secret=late, currency="INR")) == "gone"
    assert refusal(town, "~goa", JoinGroup(member="dee", secret="", currency="INR")) == "not_found"
    assert refusal(town, "~goa", JoinGroup(member="dee", secret=secret(town), currency="USD")) == "conflict"


def test_a_member_who_joins_again_is_shown_the_group(town: Town) -> None:
    shown = town.tell("~goa", JoinGroup(member="ben", secret=secret(town), currency="INR"))
    assert [m["user_id"] for m in shown["members"]] == ["asha", "ben"]


def test_groups_are_bounded(town: Town) -> None:
    code = secret(town)
    for number in range(INVITES_MAX - 2):
        secret(town, uses=number + 1)
    assert refusal(town, "~goa", InviteToGroup(member="asha")) == "conflict"
    for number in range(MEMBERS_MAX - 2):
        town.person(f"m{number}")
        town.tell("~goa", JoinGroup(member=f"m{number}", secret=code, currency="INR"))
    assert refusal(town, "~goa", JoinGroup(member="dee", secret=code, currency="INR")) == "conflict"
    contribute(town, "asha", 10)
    contribute(town, "ben", 10)
    for _ in range(PROPOSALS_MAX):
        town.tell("~goa", Propose(member="asha", kind="payout"))
    assert refusal(town, "~goa", Propose(member="asha", kind="payout")) == "conflict"


def test_what_a_person_has_of_groups_is_bounded(town: Town) -> None:
    for number in range(MEMBERSHIPS_MAX):
        town.tell("ben", NoteMembership(group_id=f"g{number}", group_name="G"))
    assert "g49" not in town.person("ben").groups.memberships
    assert town.post["ben", "~g49"][0].command_id.startswith("group:g49:away:")
    for _ in range(PLEDGES_MAX):
        town.tell("asha", ContributeToGroup(group_id="goa", group_name="Goa", currency="INR", amount=1))
    command = ContributeToGroup(group_id="goa", group_name="Goa", currency="INR", amount=1)
    assert refusal(town, "asha", command) == "conflict"


def test_one_beyond_the_limit_of_memberships_leaves_again(town: Town) -> None:
    for number in range(MEMBERSHIPS_MAX - 1):
        town.tell("ben", NoteMembership(group_id=f"g{number}", group_name="G"))
    town.tell("~gift", OpenGroup(name="Gift", currency="INR", member="ben"))
    town.deliver_all()
    assert not town.group("gift").members
    assert "gift" not in town.person("ben").groups.memberships


def test_a_locked_jar_contributes_nothing(town: Town) -> None:
    jar_id = town.settle("asha", 500)
    town.person("asha").jars[jar_id].locked_until = AT + timedelta(days=1)
    command = ContributeFromJar(group_id="goa", group_name="Goa", currency="INR", amount=1, jar_id=jar_id)
    assert refusal(town, "asha", command) == "conflict"


def test_a_jar_tells_what_went_to_a_group_and_came_back(town: Town) -> None:
    jar_id = town.settle("asha", 500)
    contribution = ContributeFromJar(group_id="goa", group_name="Goa", currency="INR", amount=100, jar_id=jar_id)
    town.tell("asha", contribution)
    town.deliver_all()
    town.tell("~goa", LeaveGroup(member="asha"))
    town.deliver_all()
    told = [one for turn in town.citizens["asha"].turns for one in activity.of_turn(turn, jar_id)]
    assert [(one.type, one.amount) for one in told] == [
        ("deposit", 500),
        ("group_contribution", -100),
        ("group_payout", 100),
    ]
    assert told[1].group_id == "goa"


def test_members_are_told_in_words_a_person_uses(town: Town) -> None:
    contribute(town, "asha", 20_000)
    contribute(town, "ben", 10_000)
    town.tell("~goa", Propose(member="asha", kind="purchase", amount=15_000, description="a tent"))
    town.deliver_all()
    ben, asha = town.person("ben").alerts.recent, town.person("asha").alerts.recent
    assert ben[-1].message == (
        "Asha proposes spending ₹150.00 of Goa on a tent; your part is ₹50.00. Nothing of yours is taken unless you "
        "approve."
    )
    assert not asha
    proposal_id = ben[-1].data["proposal_id"]
    town.tell("~goa", Reject(member="ben", kind="purchase", proposal_id=proposal_id))
    town.wait(AT + timedelta(days=7))
    town.deliver_all()
    assert town.person("asha").alerts.recent[-1].message == (
        "Spending ₹150.00 of Goa on a tent was not agreed in time."
    )


def test_a_payout_to_all_is_told_without_amounts(town: Town) -> None:
    heard = HearFromGroup(
        group_id="goa",
        group_name="Goa",
        proposal_id="p",
        topic="asked",
        kind="payout",
        by="Asha",
        part=5,
        currency="INR",
    )
    town.tell("ben", heard)
    assert (
        town.person("ben")
        .alerts.recent[-1]
        .message.startswith("Asha proposes paying everybody's share of Goa back; your part is ₹0.05.")
    )


def test_a_credit_carries_its_own_currency(town: Town) -> None:
    town.tell("~goa", CreditShare(member="asha", transfer_id="t", amount=5, currency="USD"))
    assert town.group("goa").balance == 0


def test_a_payout_to_nobody_is_a_share_again(town: Town) -> None:
    contribute(town, "asha", 200)
    town.citizens["asha"] = Citizen(USERS, "asha")
    town.tell("~goa", PayOutShare(member="asha", amount=50))
    town.deliver_all()
    assert (town.group("goa").shares(), town.group("goa").payouts) == ({"asha": 200}, {})


def test_who_made_the_group_can_go_and_everyone_keeps_the_own_share(town: Town) -> None:
    contribute(town, "asha", 200)
    contribute(town, "ben", 100)
    town.tell("~goa", LeaveGroup(member="asha"))
    town.deliver_all()
    assert town.group("goa").shares() == {"ben": 100}
    town.tell("~goa", PayOutShare(member="ben", amount=60))
    town.deliver_all()
    assert town.group("goa").shares() == {"ben": 40}
    assert town.tell("~goa", InviteToGroup(member="ben"))["code"]
