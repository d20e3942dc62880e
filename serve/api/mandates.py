"""UPI AutoPay: the mandate under which savings are debited, and the one debit a person may skip."""

from msgspec import Struct, structs

from engine.commands import ApplyMandate, EndMandate, MandateFields, OptOut, SetMandate
from engine.queries import GetMandates
from engine.settlement.views_settlement import InstructionView, MandateView
from serve.api import challenges
from serve.api.challenges import REFUSALS, ChallengeView, Confirmation
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, route


class MandatePage(Struct, frozen=True):
    """The mandate, if there is one."""

    items: list[MandateView]
    next_cursor: str | None = None


async def set_mandate(call: Call) -> Answer:
    """Debit savings under a mandate; a new one or a higher cap asks for a code first (202)."""
    return challenges.asked(await call.tell(SetMandate(**structs.asdict(call.body))))


async def confirm_mandate(call: Call) -> Answer:
    """Take the mandate over that waited for its code."""
    return await challenges.confirm(call, ApplyMandate)


async def list_mandates(call: Call) -> Answer:
    """List the mandates: one at most."""
    return await call.ask(GetMandates(limit=call.query.limit, cursor=call.query.cursor))


async def end_mandate(call: Call) -> Answer:
    """End a mandate; a debit that is only announced is off."""
    answer = await call.tell(EndMandate(mandate_id=call.path["mandate_id"]))
    return Answer(b"", 204, answer.headers)


async def opt_out(call: Call) -> Answer:
    """Skip one announced debit; its money goes on waiting."""
    return await call.tell(OptOut(instruction_id=call.path["instruction_id"]))


ROUTES = [
    route(
        "PUT /mandates",
        set_mandate,
        tag="settlement",
        body=MandateFields,
        answer=MandateView,
        also_answer=ChallengeView,
        also=((202, "It allows more than the present one: nothing changes before the code"), (409, "A debit waits")),
    ),
    route(
        "POST /mandates/confirm",
        confirm_mandate,
        tag="settlement",
        body=Confirmation,
        answer=MandateView,
        also=REFUSALS,
    ),
    route("GET /mandates", list_mandates, tag="settlement", query=PageQuery, answer=MandatePage),
    route("DELETE /mandates/{mandate_id}", end_mandate, tag="settlement", status=204),
    route(
        "POST /instructions/{instruction_id}/opt-out",
        opt_out,
        tag="settlement",
        answer=InstructionView,
        also=((409, "It is being executed, or has ended"),),
    ),
]
