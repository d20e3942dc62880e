"""What a group holds of a person is no jar, and is swept as what it is; locks. Found by review, each a defect once."""

from datetime import UTC, datetime

import pytest

from engine.behaviour import Refused
from engine.commands import LockJar
from engine.commands.groups import AskJarContribution, ContributeToGroup
from engine.groups.commands import OpenGroup
from tests.support.town import Town

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


def test_a_contribution_from_the_wallet_is_not_swept_as_if_it_were_a_jars() -> None:
    town = Town(AT)
    state = town.person("asha")
    town.tell("~goa", OpenGroup(name="Goa", currency="INR", member="asha", member_name="Asha"))
    town.deliver_all()
    town.tell("asha", ContributeToGroup(group_id="goa", group_name="Goa", currency="INR", amount=50_000))
    town.deliver_all()
    assert state.ledger.balances["INR"] == {"group:goa:scheduled": 50_000, "promised": -50_000}
    (asked,) = state.settlement.open.values()
    assert [(part.jar_id, part.amount) for part in asked.parts] == [("group:goa", 50_000)]
    town.report_all()
    assert state.ledger.balances["INR"] == {"group:goa:settled": 50_000, "wallet": -50_000}


def test_a_locked_jar_contributes_nothing_to_a_group() -> None:
    town = Town(AT)
    town.person("asha")
    town.tell("~goa", OpenGroup(name="Goa", currency="INR", member="asha", member_name="Asha"))
    town.deliver_all()
    jar_id = town.settle("asha", 5_000)
    given = AskJarContribution(group_id="goa", group_name="Goa", currency="INR", amount=5_000, jar_id=jar_id)
    asked = town.tell("asha", given)
    town.tell("asha", LockJar(jar_id=jar_id, until="2027-01-01T00:00:00+00:00"))
    with pytest.raises(Refused, match="locked"):
        town.confirm("asha", asked, "contribute_from_jar")
    with pytest.raises(Refused, match="locked"):
        town.tell("asha", given)
    assert not town.person("asha").groups.pledges
