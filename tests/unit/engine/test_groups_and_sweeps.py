"""What a group holds of a person is no jar, and is swept as what it is. Found by review; each was a defect once."""

from datetime import UTC, datetime

from engine.commands.groups import ContributeToGroup
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
