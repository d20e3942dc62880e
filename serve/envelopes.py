"""From a principal and a decoded request to an envelope for a shard: command ids, origin, provenance, opening."""

from operator import attrgetter

import msgspec
from msgspec import Struct

from actors.cause import REQUEST_ID, TRACE
from actors.messages import Envelope, Meta
from engine.commands import Command, OpenUser, RecordTransaction, TransactionFields
from engine.queries import Query
from serve.auth.errors import InputRefused
from serve.auth.principal import Principal, check_user_id
from serve.problems import Trouble, field_trouble

TENANT_DEFAULTS = OpenUser()
"""How a user nobody signed up is opened: rupees, Kolkata, auto-saving off until it or the user turns it on."""

_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
"""Keys of `metadata` are sorted: the same members in another order are the same command."""
_OPENING = _ENCODER.encode(TENANT_DEFAULTS)
_FIELDS = TransactionFields.__struct_fields__
_VALUES = attrgetter(*_FIELDS)


class TransactionRequest(TransactionFields, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The body of `POST /transactions`; `user_id` is for role service, which acts for a tenant's users."""

    user_id: str | None = None


def subject(principal: Principal, user_id: str | None, *, field: str = "user_id") -> str:
    """Return the entity a request is about: one's own, or, for a service, the user it names."""
    if principal.role in ("service", "admin"):
        if user_id is None:
            raise field_trouble(field, f"is required: a {principal.role} says which user it acts for")
        try:
            check_user_id(user_id)
        except InputRefused as error:
            raise field_trouble(field, error.message) from None
        return f"{principal.tenant}/{user_id}"
    if user_id is not None and user_id != principal.user_id:
        raise Trouble(403, f"{field}: a user acts only for itself; leave it out", name="forbidden")
    return principal.entity_id


def meta_of(principal: Principal, request_id: str) -> Meta:
    """Return who asks, under which request, in the trace of the present task."""
    return Meta(principal.name, principal.origin, request_id, TRACE.get())


def transaction_id_of(command: RecordTransaction) -> str:
    """Return the command id of a report: its identity (origin, source, external id) with status and revision.

    Origin comes first, so that a person's own entry never occupies a provider's id; neither it nor a source has a
    slash, so that no name of a service imitates another's source. The status is a closed vocabulary behind the last
    colon, so that no external id can imitate another's.
    """
    revision = f":r{command.revision}" if command.revision else ""
    return f"tx:{command.origin}/{command.source}:{command.external_id}:{command.status}{revision}"


def transaction(
    principal: Principal,
    fields: TransactionFields,
    user_id: str | None,
    request_id: str,
    *,
    user_field: str = "user_id",
) -> Envelope:
    """Return the envelope that records a transaction. Who reports it comes from the credential alone."""
    command = RecordTransaction(
        **dict(zip(_FIELDS, _VALUES(fields), strict=True)),
        origin=principal.origin,
        provenance="wallet" if principal.role == "service" else "self_reported",
    )
    return Envelope(
        entity_id=subject(principal, user_id, field=user_field),
        command_id=transaction_id_of(command),
        body=_encoded(command),
        meta=meta_of(principal, request_id),
        opening=_OPENING,
    )


def _encoded(command: RecordTransaction) -> bytes:
    try:
        return _ENCODER.encode(command)
    except OverflowError:
        raise field_trouble("occurred_at", "lies outside the years 1 to 9999 in UTC") from None


def command(principal: Principal, entity_id: str, wanted: Command, command_id: str, request_id: str) -> Envelope:
    """Return the envelope of any other command."""
    return Envelope(
        entity_id=entity_id,
        command_id=command_id,
        body=_ENCODER.encode(wanted),
        meta=meta_of(principal, request_id),
        opening=_OPENING,
    )


def query(principal: Principal, entity_id: str, wanted: Query, opening: Struct = TENANT_DEFAULTS) -> Envelope:
    """Return the envelope of a read; it opens an unknown user first, as `opening` says."""
    raw = _OPENING if opening is TENANT_DEFAULTS else _ENCODER.encode(opening)
    return Envelope(
        entity_id=entity_id,
        command_id=None,
        body=_ENCODER.encode(wanted),
        meta=meta_of(principal, REQUEST_ID.get()),
        opening=raw,
    )
