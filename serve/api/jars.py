"""Jars: what they are, what goes in, what moved."""

import msgspec
from msgspec import Struct, structs

from engine.commands import (
    AllocationFields,
    AskUnlock,
    CancelUnlock,
    CreateJar,
    DeleteJar,
    DepositToJar,
    EditJar,
    JarChanges,
    JarFields,
    LockEnd,
    LockJar,
    PositiveAmount,
    SetAllocation,
    TransferToJar,
    UnlockJar,
)
from engine.jars import activity
from engine.jars.activity import JarActivity
from engine.jars.views_jars import AllocationView, DepositView, JarView, TransferView
from engine.queries import GetAllocation, GetJar, GetJars
from serve.api import challenges
from serve.api.challenges import REFUSALS, ChallengeView, Confirmation
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, route
from serve.problems import field_trouble

TURNS_A_READ, READS_MAX = 500, 8
"""A page of a jar's activity reads the journal back so far at most; the cursor goes on from there."""


class JarPage(Struct, frozen=True):
    """A page of jars, newest first."""

    items: list[JarView]
    next_cursor: str | None = None


class ActivityPage(Struct, frozen=True):
    """A page of what moved in a jar; it may hold fewer items than `limit` and still have a next one."""

    items: list[JarActivity]
    next_cursor: str | None = None


class JarRemoval(Struct, frozen=True, forbid_unknown_fields=True):
    """`move_to` names the jar that takes what the deleted one holds."""

    move_to: str | None = None
    user_id: str | None = None


class Deposit(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` in minor units of the home currency."""

    amount: PositiveAmount


class Transfer(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` in minor units of the home currency, to another of one's own jars."""

    amount: PositiveAmount
    to_jar: str


class Lock(Struct, frozen=True, forbid_unknown_fields=True):
    """Until when: a time with an offset, or a date on which the jar is open again; at most 5 years away."""

    until: LockEnd


async def create_jar(call: Call) -> Answer:
    """Make a jar."""
    return await call.tell(CreateJar(**structs.asdict(call.body)), 201)


async def list_jars(call: Call) -> Answer:
    """List the jars."""
    return await call.ask(GetJars(limit=call.query.limit, cursor=call.query.cursor))


async def show_jar(call: Call) -> Answer:
    """Read a jar."""
    return await call.ask(GetJar(call.path["jar_id"]))


async def change_jar(call: Call) -> Answer:
    """Change a jar."""
    fields = {name: getattr(call.body, name) for name in JarChanges.__struct_fields__}
    return await call.tell(EditJar(jar_id=call.path["jar_id"], **fields))


async def delete_jar(call: Call) -> Answer:
    """Delete a jar; 409 with the balance when it holds money and `move_to` names none."""
    answer = await call.tell(DeleteJar(jar_id=call.path["jar_id"], move_to=call.query.move_to))
    return Answer(b"", 204, answer.headers)


async def deposit(call: Call) -> Answer:
    """Put money into a jar by hand."""
    return await call.tell(DepositToJar(jar_id=call.path["jar_id"], amount=call.body.amount), 201)


async def jar_activity(call: Call) -> Answer:
    """List what moved in a jar and why, newest first."""
    jar_id, wanted = call.path["jar_id"], call.query
    await call.ask(GetJar(jar_id))
    before = _position(wanted.cursor)
    items: list[JarActivity] = []
    read = TURNS_A_READ
    for _ in range(READS_MAX):
        turns = await call.services.read_model.turns(call.entity_id, limit=TURNS_A_READ, before=before)
        read = len(turns)
        for turn in turns:
            before = turn.seq
            items += activity.of_turn(turn, jar_id)
            if len(items) >= wanted.limit:
                break
        if read < TURNS_A_READ or len(items) >= wanted.limit:
            break
    more = before is not None and before > 1 and (read == TURNS_A_READ or len(items) >= wanted.limit)
    return Answer(msgspec.json.encode(ActivityPage(items, str(before) if more else None)))


async def transfer(call: Call) -> Answer:
    """Move money to another of one's own jars: what has settled first, then what is promised."""
    body: Transfer = call.body
    return await call.tell(TransferToJar(jar_id=call.path["jar_id"], to_jar=body.to_jar, amount=body.amount), 201)


async def lock(call: Call) -> Answer:
    """Lock a jar, or extend its lock: until then it receives, and pays nothing out."""
    return await call.tell(LockJar(jar_id=call.path["jar_id"], until=call.body.until))


async def unlock(call: Call) -> Answer:
    """Ask for the code of an emergency unlock."""
    return await call.tell(AskUnlock(jar_id=call.path["jar_id"]), 202)


async def confirm_unlock(call: Call) -> Answer:
    """Begin the 24 hours after which the jar opens."""
    return await challenges.confirm(call, UnlockJar, jar_id=call.path["jar_id"])


async def cancel_unlock(call: Call) -> Answer:
    """Keep the jar locked: an unlock that is under way, and any code that was sent for one, is over."""
    answer = await call.tell(CancelUnlock(jar_id=call.path["jar_id"]))
    return Answer(b"", 204, answer.headers)


async def show_allocation(call: Call) -> Answer:
    """Read how savings are shared between the jars."""
    return await call.ask(GetAllocation())


async def set_allocation(call: Call) -> Answer:
    """Say how savings are shared: by priority, by percent (all at once, 100 in sum), or by target and deadline."""
    return await call.tell(SetAllocation(**structs.asdict(call.body)))


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise field_trouble("cursor", "is not a cursor of this list; begin without one")
    return int(cursor)


ROUTES = [
    route("POST /jars", create_jar, tag="jars", body=JarFields, answer=JarView, status=201),
    route("GET /jars", list_jars, tag="jars", query=PageQuery, answer=JarPage),
    route("GET /jars/{jar_id}", show_jar, tag="jars", answer=JarView),
    route("PATCH /jars/{jar_id}", change_jar, tag="jars", body=JarChanges, answer=JarView),
    route(
        "DELETE /jars/{jar_id}",
        delete_jar,
        tag="jars",
        query=JarRemoval,
        status=204,
        also=((409, "It holds money and move_to names no jar"),),
    ),
    route("POST /jars/{jar_id}/deposit", deposit, tag="jars", body=Deposit, answer=DepositView, status=201),
    route("GET /jars/{jar_id}/activity", jar_activity, tag="jars", query=PageQuery, answer=ActivityPage),
    route(
        "POST /jars/{jar_id}/transfer",
        transfer,
        tag="jars",
        body=Transfer,
        answer=TransferView,
        status=201,
        also=((409, "The jar is locked, has less, or the other has no room"),),
    ),
    route(
        "POST /jars/{jar_id}/lock",
        lock,
        tag="jars",
        body=Lock,
        answer=JarView,
        also=((409, "It is locked for longer already"),),
    ),
    route(
        "POST /jars/{jar_id}/unlock",
        unlock,
        tag="jars",
        answer=ChallengeView,
        status=202,
        also=((409, "It is not locked, opens soon anyway, or an unlock is under way"), (429, "Too many codes")),
    ),
    route(
        "POST /jars/{jar_id}/unlock/confirm",
        confirm_unlock,
        tag="jars",
        body=Confirmation,
        answer=JarView,
        also=REFUSALS,
    ),
    route("DELETE /jars/{jar_id}/unlock", cancel_unlock, tag="jars", status=204),
    route("GET /allocation", show_allocation, tag="jars", answer=AllocationView),
    route("PUT /allocation", set_allocation, tag="jars", body=AllocationFields, answer=AllocationView),
]
