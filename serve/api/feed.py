"""The feed of a tenant: every turn of every user of it, at least once, for the tenant's back end."""

import base64
import binascii
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from actors.feed import UNREADABLE
from actors.journal import BEGINNING, TenantPosition
from actors.messages import Frame
from actors.slots import SLOTS
from serve.api.routing import Answer, Call, route
from serve.api.turns import EventView
from serve.problems import Trouble, field_trouble
from serve.tenant_feed import NotOurs, TooManyWaiting

WAIT_S_MAX = 15
_BIGINT_MAX = 2**63 - 1


class FeedQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """From where: a `cursor` of an earlier answer; empty or none, from the first turn; `from=now`, from the last."""

    cursor: str = ""
    from_: Literal["now"] | None = msgspec.field(name="from", default=None)
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    wait_s: Annotated[float, Meta(ge=0, le=WAIT_S_MAX)] = 10.0


class FeedTurnView(Struct, frozen=True):
    """A committed turn of a user; `seq` is dense and ascending for each user.

    `unreadable`: this release cannot read it (a newer one wrote it, or it is damaged), so `events` is empty; get it by
    `GET /turns` once that is mended.
    """

    user_id: str
    seq: int
    at: str
    events: list[EventView]
    request_id: str = ""
    unreadable: bool = False


class FeedPage(Struct, frozen=True):
    """The next turns; none when none came in time. `next_cursor` is what to ask with next, always."""

    epoch: str
    items: list[FeedTurnView]
    next_cursor: str


class _Item(Struct, frozen=True, omit_defaults=True):
    user_id: str
    seq: int
    at: str
    events: Raw
    request_id: str = ""
    unreadable: bool = False


class _Page(Struct, frozen=True):
    epoch: str
    items: list[_Item]
    next_cursor: str


class _Cursor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    epoch: str
    xact: Annotated[int, Meta(ge=0, le=_BIGINT_MAX)]
    slot: Annotated[int, Meta(ge=-1, lt=SLOTS)]
    entity_id: Annotated[str, Meta(max_length=256, pattern="^[^\\x00]*$")]
    seq: Annotated[int, Meta(ge=0, le=_BIGINT_MAX)]


async def feed(call: Call) -> Answer:
    """Read the next turns of all users of the tenant, waiting for them if there are none."""
    if call.caller.role != "service":
        raise Trouble(403, "The feed is the back end's of a tenant: role service.", name="forbidden")
    wanted: FeedQuery = call.query
    services, tenant, epoch = call.services, call.caller.tenant, call.services.epoch
    if wanted.from_ is not None:
        if wanted.cursor:
            raise field_trouble("from", "begins without a cursor: give one of them")
        return _answer(epoch, [], await services.feed.end(tenant))
    after = _position(wanted.cursor, epoch)
    try:
        found = await services.feed.page(tenant, after, wanted.limit, wanted.wait_s)
    except TooManyWaiting as error:
        raise Trouble(429, str(error), name="too-many-requests") from None
    except NotOurs:
        raise _gone(epoch) from None
    return _answer(epoch, [frame for _, frame in found], found[-1][0] if found else after)


def _answer(epoch: str, frames: list[Frame], last: TenantPosition) -> Answer:
    items = [_item(frame) for frame in frames]
    cursor = _Cursor(epoch, last.xact, last.slot, last.entity_id, last.seq)
    written = base64.urlsafe_b64encode(msgspec.msgpack.encode(cursor)).decode().rstrip("=")
    return Answer(msgspec.json.encode(_Page(epoch, items, written)))


def _item(frame: Frame) -> _Item:
    user_id, unreadable = frame.entity_id.partition("/")[2], frame.events == UNREADABLE
    events = Raw(b"[]" if unreadable else bytes(frame.events))
    return _Item(user_id, frame.seq, frame.at, events, frame.request_id, unreadable)


def _position(text: str, epoch: str) -> TenantPosition:
    if not text:
        return BEGINNING
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = msgspec.msgpack.decode(raw, type=_Cursor)
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise field_trouble("cursor", "is not a cursor of the feed; begin without one") from None
    if cursor.epoch != epoch:
        raise _gone(epoch)
    return TenantPosition(cursor.xact, cursor.slot, cursor.entity_id, cursor.seq)


def _gone(epoch: str) -> Trouble:
    words = "This cursor is of another stream: the journal was restored. Begin without a cursor, and drop what you"
    return Trouble(410, f"{words} have of turns you see again.", name="gone", extra={"epoch": epoch})


ROUTES = [
    route(
        "GET /feed",
        feed,
        tag="live",
        query=FeedQuery,
        answer=FeedPage,
        also=((410, "The cursor is of another stream"), (429, "As many calls wait as may")),
    )
]
