"""Pages of `GET /feed` and `GET /turns`, as far as a reconciliation looks at them."""

from msgspec import Raw, Struct, json


class FeedItem(Struct, frozen=True):
    """One turn of one of the tenant's users."""

    user_id: str
    seq: int


class FeedPage(Struct, frozen=True):
    """Some turns; the next page begins at `next_cursor`, which is never null."""

    items: list[FeedItem]
    next_cursor: str


class Event(Struct, frozen=True):
    """One event of a turn, its data unread."""

    type: str
    data: Raw


class TurnItem(Struct, frozen=True):
    """One turn of a user."""

    seq: int
    events: list[Event]


class TurnsPage(Struct, frozen=True):
    """Some turns of one user, oldest first; `next_cursor` is null at the head."""

    items: list[TurnItem]
    next_cursor: str | None = None


class _Payment(Struct, frozen=True):
    external_id: str


_feed = json.Decoder(FeedPage)
_turns = json.Decoder(TurnsPage)
_payment = json.Decoder(_Payment)
RECORDED = "transaction_recorded"


def page_of(body: bytes) -> FeedPage:
    """Return a page of the feed."""
    return _feed.decode(body)


def turns_of(body: bytes) -> TurnsPage:
    """Return a page of a user's turns."""
    return _turns.decode(body)


def recorded(turn: TurnItem) -> str | None:
    """Return the external id of the payment that a turn records first, None where it records none."""
    for event in turn.events:
        if event.type == RECORDED:
            return _payment.decode(event.data).external_id
    return None
