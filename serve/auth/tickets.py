"""Tickets: what opens one socket or stream, once, within half a minute, where a token must not be shown.

A ticket is signed like an access token but is none: another type, another audience. It carries whom the stream is for
and when it must end, so that any process of the data folder can redeem it. That it is spent is a row of a table.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from msgspec import Struct

from serve.auth.errors import InputRefused, TicketExpired, TicketRefused, TicketSpent, TokenRefused
from serve.auth.keys import KeyRing
from serve.auth.principal import Principal, check_tenant, check_user_id
from serve.auth.signed import CLOCK_SKEW_S, opened, sign

AUDIENCE = "boond:live"
TICKET_S = 30
TICKET_CHARS_MAX = 2048

_TYPE = "boond-ticket+jwt"
_ID_BYTES = 16


class _Claims(Struct, frozen=True):
    """What a ticket says. `until`: when the stream it opens must end; `sid`: what a log-out ends."""

    iss: str
    aud: str
    sub: str
    tenant: str
    iat: int
    nbf: int
    exp: int
    until: int
    jti: str
    sid: str


_CLAIMS = msgspec.json.Decoder(_Claims)


class Ticket(Struct, frozen=True):
    """A ticket and its end; `expires_in` is in seconds."""

    ticket: str
    expires_at: datetime
    expires_in: int


class SpentTickets(Protocol):
    """Which tickets were redeemed, for every process alike."""

    async def spend(self, ticket_id: bytes, expires_at: datetime) -> bool:
        """Mark a ticket as spent; False when it was already. Raises `actors.runtime.Unavailable`."""


class Tickets:
    """Sells and redeems tickets. `service_stream_s`: how long a stream may last that a service's ticket opens."""

    def __init__(
        self, keys: KeyRing, spent: SpentTickets, now: Callable[[], datetime], service_stream_s: int = 3600
    ) -> None:
        self._keys, self._spent, self._now = keys, spent, now
        self._service_stream_s = service_stream_s

    def issue(self, buyer: Principal, user_id: str) -> Ticket:
        """Return a ticket for the stream of a user of the buyer's tenant. It never outlives the buyer's token."""
        now = int(self._now().timestamp())
        until = buyer.expires_at
        if buyer.role != "user":
            until = min(until, now + self._service_stream_s)
        expires = min(now + TICKET_S, until)
        claims = _Claims(
            iss=self._keys.issuer,
            aud=AUDIENCE,
            sub=user_id,
            tenant=buyer.tenant,
            iat=now,
            nbf=now,
            exp=expires,
            until=until,
            jti=secrets.token_hex(_ID_BYTES),
            sid=buyer.session,
        )
        signed = sign(self._keys, _TYPE, msgspec.json.encode(claims))
        return Ticket(signed, datetime.fromtimestamp(expires, UTC), expires - now)

    async def redeem(self, ticket: str) -> Principal:
        """Spend a ticket: return whose stream it opens, and until when (`expires_at`).

        Raises `TicketRefused`, and `actors.runtime.Unavailable` when nobody can say whether it was spent before.
        """
        claims = self._claims(ticket)
        now_s = self._now().timestamp()
        if max(claims.nbf, claims.iat) > now_s + CLOCK_SKEW_S:
            raise TicketRefused
        if claims.exp <= now_s:
            raise TicketExpired
        principal = _principal(claims)
        if not await self._spent.spend(_ticket_id(claims), datetime.fromtimestamp(claims.exp, UTC)):
            raise TicketSpent
        return principal

    def _claims(self, ticket: str) -> _Claims:
        if len(ticket) > TICKET_CHARS_MAX or not ticket.isascii():
            raise TicketRefused
        try:
            claims = _CLAIMS.decode(opened(self._keys, _TYPE, ticket.encode()))
        except (TokenRefused, msgspec.DecodeError):
            raise TicketRefused from None
        if claims.iss != self._keys.issuer or claims.aud != AUDIENCE:
            raise TicketRefused
        return claims


def _ticket_id(claims: _Claims) -> bytes:
    try:
        ticket_id = bytes.fromhex(claims.jti)
    except ValueError:
        raise TicketRefused from None
    if len(ticket_id) != _ID_BYTES:
        raise TicketRefused
    return ticket_id


def _principal(claims: _Claims) -> Principal:
    try:
        user_id, tenant = check_user_id(claims.sub), check_tenant(claims.tenant)
    except InputRefused:
        raise TicketRefused from None
    return Principal(user_id=user_id, tenant=tenant, role="user", session=claims.sid, expires_at=claims.until)
