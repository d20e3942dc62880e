"""The user aggregate: one `decide` and one `evolve` over all features (`engine.decisions`, `engine.evolution`)."""

from engine.behaviour import Context, Decision, Facts, Refused
from engine.commands import Command, OpenUser
from engine.commands.groups import LETTERS
from engine.commands.settlement import REPORTS
from engine.commands.transactions import EXPIRIES
from engine.decisions import DECIDE
from engine.evolution import evolve
from engine.reactions import react
from engine.state import UserState

__all__ = ["decide", "evolve"]

_HOWEVER_FULL = LETTERS | REPORTS | EXPIRIES


def decide(state: UserState, command: Command, facts: Facts, context: Context) -> Decision:
    """Return the events of a command; `state` is left as it was. Raises `Refused`."""
    if not state.is_open and type(command) is not OpenUser:
        raise Refused("not_found", "there is no such user; open it first")
    decision = DECIDE[type(command)](state, command, facts, context)
    events = decision.events
    postings = getattr(events[0], "postings", None) if events else None
    if len(events) > 1:
        postings = [posting for event in events for posting in getattr(event, "postings", ())]
    if postings and type(command) not in _HOWEVER_FULL:
        state.ledger.check_room(postings)
    followed = react(state, events, context)
    return decision if followed is events else Decision(followed, decision.result, decision.outbox)
