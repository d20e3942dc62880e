"""Events in, receipts out; the list of transactions, and the user's word on one."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from actors.messages import Envelope, Outcome
from adapters.wallets import travel_app
from engine.commands import DeleteTransaction, EditTransaction, Slug, Status, TransactionChanges
from engine.payments.life import AWAITED, DELETED, HIDDEN
from engine.views import Receipt, TransactionView
from serve import envelopes
from serve.api.paging import decode_cursor, encode_cursor
from serve.api.routing import Answer, Call, answered, route
from serve.envelopes import TransactionRequest
from serve.problems import UNREADABLE, Trouble, field_trouble, of_decode, of_outcome, of_validation

BATCH_MAX = 1_000
BATCH_BYTES_MAX = 4 * 1024 * 1024
SCAN_MAX = 5_000
"""How many rows a text search (`q`) reads at most for a page: texts are sealed, the database cannot search them."""

_TRANSACTIONS = msgspec.msgpack.Decoder(TransactionView)
_ONE = msgspec.json.Decoder(TransactionRequest)
_JSON = msgspec.json.Encoder()


class _Effect(Struct, frozen=True):
    effect: str


_EFFECT = msgspec.json.Decoder(_Effect)


class TransactionFilter(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which transactions, by `occurred_at`: a date as `to` includes its whole day (UTC), an instant is exclusive."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None
    from_: str | None = None
    to: str | None = None
    category: Slug | None = None
    status: Status | None = None
    q: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    user_id: str | None = None


class TransactionPage(Struct, frozen=True):
    """A page of transactions, newest first."""

    items: list[TransactionView]
    next_cursor: str | None = None


_ReceiptOrProblem = Annotated[
    Any,
    Meta(
        extra_json_schema={
            "anyOf": [{"$ref": "#/components/schemas/Receipt"}, {"$ref": "#/components/schemas/Problem"}]
        }
    ),
]


class BatchAnswer(Struct, frozen=True):
    """The receipts or problems of a batch, in the order of the events."""

    results: list[_ReceiptOrProblem]


async def record(call: Call) -> Answer:
    """Record one event: 201 with its receipt; 200 with the first one's when it was here before."""
    request: TransactionRequest = call.body
    envelope = envelopes.transaction(call.caller, request, _named(call, request.user_id), call.request_id)
    return _receipt(await call.submit(envelope))


def _named(call: Call, in_body: str | None, field: str = "user_id") -> str | None:
    """Return the user an event names, in its body or in the query; both must mean the same one."""
    in_query: str | None = call.query.user_id
    if in_body is not None and in_query is not None and in_body != in_query:
        raise field_trouble(field, "names another user than user_id of the query; leave one of them out")
    return in_query if in_body is None else in_body


def _receipt(outcome: Outcome) -> Answer:
    """Answer 201 to what changed something, 200 to what was here before or comes too late."""
    seen = outcome.status == "replayed" or (outcome.body is not None and _EFFECT.decode(outcome.body).effect == "none")
    return answered(outcome, 200 if seen else 201)


async def record_batch(call: Call) -> Answer:
    """Record up to 1,000 events; one bad event does not stop the others."""
    items: list[Raw] = call.body
    if not 1 <= len(items) <= BATCH_MAX:
        raise field_trouble("body", f"must be an array of 1 to {BATCH_MAX} events, not {len(items)}")
    results: list[bytes] = [b""] * len(items)
    envelopes_, places = [], []
    for index, item in enumerate(items):
        read = _read(call, item)
        if isinstance(read, Trouble):
            results[index] = read.encode()
        else:
            envelopes_.append(read)
            places.append(index)
    outcomes = await call.services.runtime.submit_many(envelopes_) if envelopes_ else []
    for index, outcome in zip(places, outcomes, strict=True):
        results[index] = bytes(outcome.body) if outcome.body is not None else of_outcome(outcome).encode()
    return Answer(b'{"results":[' + b",".join(results) + b"]}")


def _read(call: Call, item: Raw) -> Envelope | Trouble:
    try:
        request = _ONE.decode(item)
        return envelopes.transaction(call.caller, request, _named(call, request.user_id), call.request_id)
    except msgspec.ValidationError as error:
        return of_validation(error)
    except UNREADABLE as error:
        return of_decode(error)
    except Trouble as trouble:
        return trouble


async def sync_expense(call: Call) -> Answer:
    """Record an expense in the travel app's shape; without consent nothing is processed."""
    expense: travel_app.Expense = call.body
    if not expense.consentGiven:
        raise Trouble(403, "consentGiven is false: nothing was recorded.", name="consent-missing")
    try:
        fields = travel_app.transaction(expense)
    except travel_app.Unreadable as error:
        raise field_trouble(error.field, error.message) from None
    envelope = envelopes.transaction(
        call.caller, fields, _named(call, expense.userId, "userId"), call.request_id, user_field="userId"
    )
    return _receipt(await call.submit(envelope))


async def listing(call: Call) -> Answer:
    """Return a page of transactions, newest first by `occurred_at`."""
    wanted: TransactionFilter = call.query
    entity_id, before = call.entity_id, decode_cursor(wanted.cursor)
    items: list[TransactionView] = []
    scanned, more = 0, True
    while more and len(items) <= wanted.limit and scanned < SCAN_MAX:
        size = wanted.limit + 1 - len(items) if wanted.q is None else 500
        rows = await call.services.read_model.transactions(
            entity_id,
            limit=size,
            before=before,
            from_=_instant(wanted.from_, "from", end=False),
            to=_instant(wanted.to, "to", end=True),
            category=wanted.category,
            status=wanted.status,
            hidden=HIDDEN,
        )
        views = [_TRANSACTIONS.decode(row.sealed) for row in rows]
        items += views if wanted.q is None else [v for v in views if _matches(v, wanted.q)]
        scanned, more = scanned + len(rows), len(rows) == size
        if rows:
            before = (rows[-1].at, rows[-1].row_id)
    return Answer(_JSON.encode(_page(items, wanted.limit, before if more else None)))


def _page(items: Sequence[TransactionView], limit: int, unread: tuple[datetime, str] | None) -> TransactionPage:
    shown = list(items[:limit])
    if len(items) > limit:
        return TransactionPage(shown, encode_cursor((shown[-1].occurred_at, shown[-1].transaction_id)))
    return TransactionPage(shown, encode_cursor(unread) if unread else None)


def _matches(view: TransactionView, text: str) -> bool:
    wanted = text.casefold()
    texts = (view.merchant.raw, view.merchant.name, view.description, view.note, view.counterparty, view.external_id)
    return any(wanted in found.casefold() for found in texts if found)


def _instant(text: str | None, field: str, *, end: bool) -> datetime | None:
    """Return the instant a filter names; a date alone is its first instant in UTC, or, as an end, that of the next."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-20"):
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day + timedelta(days=1) if end else day
        at = msgspec.convert(text, datetime)
    except (ValueError, OverflowError, msgspec.ValidationError):
        at = None
    if at is None or at.tzinfo is None:
        raise field_trouble(field, f"{text!r} is neither a date nor an RFC 3339 time with an offset")
    return at


async def one(call: Call) -> Answer:
    """Return one transaction; another's is as unknown as one that never was."""
    row = await call.services.read_model.transaction(call.entity_id, call.path["transaction_id"])
    view = _TRANSACTIONS.decode(row.sealed) if row is not None else None
    if view is None or view.status in (AWAITED, DELETED):
        raise Trouble(404, f"There is no transaction {call.path['transaction_id']!r}.", name="not-found")
    return Answer(_JSON.encode(view))


async def edit(call: Call) -> Answer:
    """Change category, description or note, or name the purchase that a credit gave back; budgets move by postings."""
    patch: TransactionChanges = call.body
    transaction_id = call.path["transaction_id"]
    command = EditTransaction(
        transaction_id=transaction_id,
        category=patch.category,
        description=patch.description,
        note=patch.note,
        amount=patch.amount,
        occurred_at=patch.occurred_at,
        refund_of=patch.refund_of,
    )
    return await call.tell(command)


async def delete(call: Call) -> Answer:
    """Delete an own entry by postings that take it back; its identity stays taken."""
    answer = await call.tell(DeleteTransaction(transaction_id=call.path["transaction_id"]))
    return Answer(b"", 204, answer.headers)


_DUPLICATE = (
    (200, "The event was here before: its first receipt, with `duplicate: true`; or it is late: `effect` is `none`"),
)

ROUTES = [
    route(
        "POST /transactions",
        record,
        tag="transactions",
        body=TransactionRequest,
        answer=Receipt,
        status=201,
        also=_DUPLICATE,
    ),
    route(
        "POST /transactions/batch",
        record_batch,
        tag="transactions",
        body=list[Raw],
        shown_body=list[TransactionRequest],
        answer=BatchAnswer,
        body_bytes_max=BATCH_BYTES_MAX,
    ),
    route(
        "POST /expenses/sync-transaction",
        sync_expense,
        tag="transactions",
        body=travel_app.Expense,
        answer=Receipt,
        status=201,
        also=_DUPLICATE,
    ),
    route("GET /transactions", listing, tag="transactions", query=TransactionFilter, answer=TransactionPage),
    route("GET /transactions/{transaction_id}", one, tag="transactions", answer=TransactionView),
    route(
        "PATCH /transactions/{transaction_id}",
        edit,
        tag="transactions",
        body=TransactionChanges,
        answer=TransactionView,
    ),
    route("DELETE /transactions/{transaction_id}", delete, tag="transactions", status=204),
]
