"""What the actor knows of pace and streaks, and everything at once."""

from engine.queries import GetBadges, GetBurnRate, GetOverview, GetStreaks
from engine.rewards.views_badges import BadgesView
from engine.views import BurnRates, Overview, StreaksView
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, route


async def burn_rate(call: Call) -> Answer:
    """Read the burn rate."""
    return await call.ask(GetBurnRate())


async def streaks(call: Call) -> Answer:
    """Read the streaks."""
    return await call.ask(GetStreaks())


async def badges(call: Call) -> Answer:
    """Read the badges: those that were earned, and how far the others are."""
    return await call.ask(GetBadges(limit=call.query.limit, cursor=call.query.cursor))


async def overview(call: Call) -> Answer:
    """Read everything a first screen shows, at one point of the journal (`seq`)."""
    return await call.ask(GetOverview())


ROUTES = [
    route("GET /burn-rate", burn_rate, tag="insights", answer=BurnRates),
    route("GET /streaks", streaks, tag="insights", answer=StreaksView),
    route("GET /badges", badges, tag="insights", query=PageQuery, answer=BadgesView),
    route("GET /overview", overview, tag="insights", answer=Overview),
]
