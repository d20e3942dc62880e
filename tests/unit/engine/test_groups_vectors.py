"""The worked examples of `tests/vectors/groups`: several persons and a group, letters delivered after each step."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.behaviour import Refused
from engine.commands import Command, OpenUser
from engine.groups.commands import GroupCommand, InviteToGroup, JoinGroup, OpenGroup
from engine.groups.membership import split_code
from engine.letters import GROUP_MARK
from tests.support.town import Town

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
GROUP = "goa"
FILE = msgspec.json.decode((Path(__file__).parents[2] / "vectors" / "groups" / "groups.json").read_bytes())


def founded(vector: dict[str, Any]) -> Town:
    town = Town(AT)
    for user_id, currency in FILE["people"].items():
        town.person(user_id, OpenUser(currency=currency))
        if user_id in vector.get("settled", {}):
            town.settle(user_id, vector["settled"][user_id])
    shape = FILE["group"]
    first, *others = shape["members"]
    town.tell(
        GROUP_MARK + GROUP,
        OpenGroup(name=shape["name"], currency=shape["currency"], member=first, target_amount=shape["target_amount"]),
    )
    code = town.tell(GROUP_MARK + GROUP, InviteToGroup(member=first))["code"]
    for user_id in others:
        town.tell(GROUP_MARK + GROUP, JoinGroup(member=user_id, secret=split_code(code)[1], currency=shape["currency"]))
    town.deliver_all()
    return town


def command_of(town: Town, step: dict[str, Any], names: dict[str, str]) -> Any:
    fields = {k: names.get(v[1:], v) if isinstance(v, str) and v[0] == "$" else v for k, v in step["command"].items()}
    if step["to"].startswith(GROUP_MARK):
        return msgspec.convert(fields, GroupCommand)
    if fields.get("jar_id") == "default":
        fields["jar_id"] = town.person(step["to"]).default_jar_id
    return msgspec.convert({"group_id": GROUP, "group_name": "Goa", "currency": "INR", **fields}, Command)


def balance(town: Town, user_id: str, account: str) -> int:
    state = town.person(user_id)
    owner, _, stage = account.partition(":")
    names = {"group": f"group:{GROUP}:{stage}", "jar": f"jar:{state.default_jar_id}:{stage}"}
    name = names.get(owner, account) if stage else account
    return state.ledger.balance(name, "INR")


def settle(town: Town, host: str) -> None:
    town.deliver_all()
    for user_id, waiting in town.orders.items():
        while waiting and host != "waits":
            town.report(user_id, "done" if host == "done" else "failed")
    town.deliver_all()


@pytest.mark.parametrize("vector", FILE["vectors"], ids=[vector["rule"] for vector in FILE["vectors"]])
def test_rule(vector: dict[str, Any]) -> None:
    town, then = founded(vector), vector["then"]
    names: dict[str, str] = {}
    answer: Any = None
    refused = None
    last = vector["steps"][-1]
    for step in vector["steps"]:
        if "wait_days" in step:
            town.wait(town.at + timedelta(days=step["wait_days"]))
            continue
        to = GROUP_MARK + GROUP if step["to"] == GROUP_MARK else step["to"]
        try:
            answer = town.tell(to, command_of(town, step, names))
        except Refused as error:
            refused = f"{'' if step is last else 'too early: '}{error.code}"
        if "as" in step:
            names[step["as"]] = answer["proposal_id"]
        if step is last:
            for user_id, accounts in then.get("before_delivery", {}).items():
                assert {account: balance(town, user_id, account) for account in accounts} == accounts
        settle(town, vector.get("host", "done"))
    assert refused == then.get("refused")
    if "answer" in then:
        assert {name: answer[name] for name in then["answer"]} == then["answer"]
    group = town.group(GROUP)
    if "shares" in then:
        assert {user_id: group.share(user_id) for user_id in group.members} == then["shares"]
    if "balance" in then:
        assert group.balance == then["balance"]
    for user_id, accounts in then.get("balances", {}).items():
        assert {account: balance(town, user_id, account) for account in accounts} == accounts
