"""Decides weekly summaries."""

import msgspec

from engine.behaviour import Context, Decision, Facts
from engine.commands import MakeSummary
from engine.decisions.handler import Decide
from engine.events import SummaryMade
from engine.planning import summaries
from engine.state import UserState
from engine.views import Shown


def _make(state: UserState, _: MakeSummary, __: Facts, context: Context) -> Decision:
    events = summaries.make(state, context)
    made = [event.summary for event in events if type(event) is SummaryMade]
    return Decision(events, Shown(msgspec.to_builtins(made[0]) if made else None))


DECIDE: dict[type, Decide] = {MakeSummary: _make}
