"""Who decides each command. To add a feature, add its file and a line in `DECIDE`."""

from engine.commands import Confirm
from engine.decisions import (
    accounts,
    autopay,
    budgets,
    categories,
    challenges,
    groups,
    jars,
    locks,
    pairs,
    profile,
    recurring,
    saving_challenges,
    settlement,
    summaries,
    transactions,
)
from engine.decisions.handler import Decide

DECIDE: dict[type, Decide] = {
    **profile.DECIDE,
    **transactions.DECIDE,
    **jars.DECIDE,
    **saving_challenges.DECIDE,
    **groups.DECIDE,
    **locks.DECIDE,
    **budgets.DECIDE,
    **accounts.DECIDE,
    **settlement.DECIDE,
    **autopay.DECIDE,
    **categories.DECIDE,
    **recurring.DECIDE,
    **pairs.DECIDE,
    **summaries.DECIDE,
}
DECIDE[Confirm] = challenges.confirming(DECIDE)
