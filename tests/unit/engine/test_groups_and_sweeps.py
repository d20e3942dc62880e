"""What a group holds of a person is no jar: sweeps leave it alone. Found by review; each was a defect once."""

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
    assert state.ledger.balances["INR"] == {"group:goa:accrued": 50_000, "promised": -50_000}
    assert not state.settlement.open
    assert state.settlement.planned is None
