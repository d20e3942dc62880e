"""Withdrawals, instructions and the host's reports of them."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from engine.commands import PositiveAmount, ReportResult, RequestWithdrawal, ShortText, SweepNow, Withdraw
from engine.commands.settlement import Attempt
from engine.queries import GetInstruction, GetInstructions
from engine.settlement import rows_settlement
from engine.settlement.views_settlement import InstructionView, NettedView, WithdrawalView
from serve import envelopes
from serve.api import challenges
from serve.api.challenges import REFUSALS, ChallengeView, Confirmation
from serve.api.paging import decode_cursor, encode_cursor
from serve.api.routing import Answer, Call, answered, route
from serve.problems import Trouble, field_trouble

Status = Literal["open", "done", "failed"]
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000
ACTING = ("service", "admin")


class Withdrawal(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` in minor units of the home currency; no `destination`: back to the wallet it came from."""

    amount: PositiveAmount
    destination: ShortText | None = None


class InstructionQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which instructions; a service sees those of all users of its tenant unless it names one."""

    status: Status | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None
    user_id: str | None = None


class InstructionPage(Struct, frozen=True):
    """A page of instructions: a user's own newest first, a tenant's oldest first."""

    items: list[InstructionView]
    next_cursor: str | None = None


class Report(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of an instruction; `at` is when it happened, now when it is absent.

    `attempt` is that of the instruction when the host was asked: the failure of an earlier one then changes nothing.
    """

    status: Literal["done", "failed"]
    reference: ShortText | None = None
    reason: ShortText | None = None
    at: datetime | None = None
    attempt: Attempt | None = None


async def withdraw(call: Call) -> Answer:
    """Ask to take money out of a jar: a code is sent to the person."""
    body: Withdrawal = call.body
    command = RequestWithdrawal(jar_id=call.path["jar_id"], amount=body.amount, destination=body.destination)
    return await call.tell(command, 202)


async def confirm_withdrawal(call: Call) -> Answer:
    """Take the money out of the jar that the challenge names."""
    return await challenges.confirm(call, Withdraw, jar_id=call.path["jar_id"])


async def settle(call: Call) -> Answer:
    """Settle what has accrued now, also after a failed debit."""
    answer = await call.tell(SweepNow(), 201)
    if msgspec.json.decode(answer.body, type=_Swept).netted is None:
        return answer
    return Answer(answer.body, 200, answer.headers)


class _Swept(Struct, frozen=True):
    """What tells the answer of a sweep without a debit from an instruction."""

    netted: int | None = None


async def list_instructions(call: Call) -> Answer:
    """List what the host is asked to move."""
    wanted: InstructionQuery = call.query
    if call.caller.role not in ACTING or wanted.user_id is not None:
        return await call.ask(GetInstructions(wanted.status, wanted.limit, wanted.cursor))
    after = decode_cursor(wanted.cursor)
    entity_id, _, record_id = after[1].partition("\n") if after else ("", "", "")
    rows = await call.services.read_model.records(
        call.caller.tenant,
        rows_settlement.KIND,
        limit=wanted.limit + 1,
        state=wanted.status,
        after=(after[0], entity_id, record_id) if after else None,
    )
    shown = rows[: wanted.limit]
    last = shown[-1] if len(rows) > wanted.limit else None
    items = [rows_settlement.decode(row.sealed) for row in shown]
    cursor = encode_cursor((last.at, f"{last.entity_id}\n{last.record_id}")) if last else None
    return Answer(msgspec.json.encode(InstructionPage(items, cursor)))


async def show_instruction(call: Call) -> Answer:
    """Read one instruction."""
    wanted = GetInstruction(call.path["instruction_id"])
    return answered(await call.submit(envelopes.query(call.caller, await _owner(call), wanted)))


async def report(call: Call) -> Answer:
    """Say what became of an instruction; the same again is the same answer, another result a conflict."""
    if call.caller.role not in ACTING:
        raise Trouble(403, "Only the host that executes instructions (role service) reports results.", name="forbidden")
    body: Report = call.body
    if body.at is not None and not EARLIEST_YEAR <= body.at.year <= LATEST_YEAR:
        raise field_trouble("at", f"lies outside the years {EARLIEST_YEAR} to {LATEST_YEAR}")
    if body.status == "done" and body.reason is not None:
        raise field_trouble("reason", "says why it failed; leave it out when it is done")
    command = ReportResult(
        instruction_id=call.path["instruction_id"],
        status=body.status,
        reference=body.reference,
        reason=body.reason,
        at=body.at,
        attempt=body.attempt,
    )
    return await call.tell(command, entity_id=await _owner(call))


async def _owner(call: Call) -> str:
    """Return whose instruction the path names: one's own, the named user's, or whoever's it is in the tenant."""
    if call.caller.role not in ACTING or call.query.user_id is not None:
        return call.entity_id
    tenant, instruction_id = call.caller.tenant, call.path["instruction_id"]
    row = await call.services.read_model.record(tenant, rows_settlement.KIND, instruction_id)
    if row is None:
        raise Trouble(404, f"There is no instruction {instruction_id!r}.", name="not-found")
    return row.entity_id


ROUTES = [
    route(
        "POST /jars/{jar_id}/withdraw",
        withdraw,
        tag="settlement",
        body=Withdrawal,
        answer=ChallengeView,
        status=202,
        also=((409, "More than `available`, or the jar is locked"), (429, "Too many codes were asked for")),
    ),
    route(
        "POST /jars/{jar_id}/withdraw/confirm",
        confirm_withdrawal,
        tag="settlement",
        body=Confirmation,
        answer=WithdrawalView,
        also=REFUSALS,
    ),
    route(
        "POST /sweeps",
        settle,
        tag="settlement",
        answer=InstructionView,
        status=201,
        also_answer=NettedView,
        also=((200, "What refunds owed paid for it: there is nothing to debit"), (409, "Nothing has accrued")),
    ),
    route("GET /instructions", list_instructions, tag="settlement", query=InstructionQuery, answer=InstructionPage),
    route("GET /instructions/{instruction_id}", show_instruction, tag="settlement", answer=InstructionView),
    route(
        "POST /instructions/{instruction_id}/result",
        report,
        tag="settlement",
        body=Report,
        answer=InstructionView,
        also=((409, "It ended otherwise already, or that attempt was not asked for"),),
    ),
]
