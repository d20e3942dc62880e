"""The turns of a user as a list: the socket's REST twin, read from the journal."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from actors.messages import Frame
from engine.queries import GetProfile
from serve import envelopes
from serve.api.routing import Answer, Call, answered, route
from serve.live import positions
from serve.live.names import Names, translator
from serve.live.protocol import encode_turn
from serve.problems import Trouble, field_trouble


class TurnsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """From where: `after` a seq (0 is before the first turn), of the stream `epoch` if it is named; or a `cursor`."""

    after: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    epoch: str | None = None
    cursor: str | None = None
    names: Names = "boond"
    user_id: str | None = None


class EventView(Struct, frozen=True):
    """What a turn did: `data` is that of the socket's event of this type."""

    type: str
    data: dict[str, Any]


class TurnView(Struct, frozen=True):
    """A committed turn. `request_id`: that of what caused it, where it had one."""

    seq: int
    at: str
    events: list[EventView]
    request_id: str = ""


class TurnPage(Struct, frozen=True):
    """Turns, oldest first. `head` is the last committed one; `next_cursor` is null when the page reaches it."""

    epoch: str
    head: int
    items: list[TurnView]
    next_cursor: str | None = None


class TurnItem(Struct, frozen=True, omit_defaults=True):
    """A turn as it is sent: its events are JSON already, the very bytes of the socket's frame."""

    seq: int
    at: str
    events: Raw
    request_id: str = ""


class _Page(Struct, frozen=True):
    epoch: str
    head: int
    items: list[TurnItem]
    next_cursor: str | None


EVENTS_BYTES_MAX = 4 * 1024 * 1024
"""Events of one page; what does not fit comes with the next one. A first turn always fits."""

_ITEM = msgspec.json.Decoder(TurnItem)


def item(frame: Frame, names: Names) -> TurnItem:
    """Return a turn as the socket's own encoder writes it, in these names."""
    return _ITEM.decode(translator(names)(encode_turn(frame)))


async def turns(call: Call) -> Answer:
    """List the turns after a position, oldest first: what the socket pushed, or would have."""
    epoch, runtime = call.services.epoch, call.services.runtime
    after = _after(call.query, epoch)
    entity_id = call.entity_id
    head = await runtime.head(entity_id)
    if head == 0:
        answered(await call.submit(envelopes.query(call.caller, entity_id, GetProfile())))
        head = await runtime.head(entity_id)
    if after > head:
        raise _gone(f"The stream has {head} turns, not {after}.", epoch)
    page = await runtime.history(entity_id, after, call.query.limit) if after < head else []
    if after < head and (not page or page[0].seq != after + 1):
        raise _gone(f"Turn {after + 1} is no longer in the journal.", epoch)
    page = _fitting(page)
    last = page[-1].seq if page else after
    cursor = positions.written(epoch, last) if last < head else None
    items = [item(frame, call.query.names) for frame in page]
    return Answer(msgspec.json.encode(_Page(epoch, max(head, last), items, cursor)))


def _fitting(page: list[Frame]) -> list[Frame]:
    size = 0
    for number, frame in enumerate(page):
        size += len(frame.events)
        if number and size > EVENTS_BYTES_MAX:
            return page[:number]
    return page


def _after(wanted: TurnsQuery, epoch: str) -> int:
    named = wanted.epoch
    after = wanted.after or 0
    if wanted.cursor is not None:
        if wanted.after is not None:
            raise field_trouble("cursor", "stands for `after`: give one of them")
        position = positions.read(wanted.cursor)
        if position is None:
            raise field_trouble("cursor", "is not a cursor of this list; use `after`")
        named, after = position.epoch, position.seq
    if named is not None and named != epoch:
        raise _gone("This position is of another stream: the journal was restored.", epoch)
    return after


def _gone(words: str, epoch: str) -> Trouble:
    way_out = "Forget what you have, read GET /overview, and go on after its `seq`."
    return Trouble(410, f"{words} {way_out}", name="gone", extra={"epoch": epoch})


ROUTES = [
    route(
        "GET /turns",
        turns,
        tag="live",
        query=TurnsQuery,
        answer=TurnPage,
        also=((410, "The position is of another stream, or its turns are gone"),),
    )
]
