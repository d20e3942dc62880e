"""Sessions of people: an access token for minutes, and a refresh token that is used once and replaced by the next.

A refresh token is 256 bits, stored as SHA-256 only. Its successor is an HMAC of it under a server secret, so an
honest retry (the answer was lost on the way) can be given the same successor without storing it. The successors of
one log-in are a family; a spent token that comes back outside the grace is theft or a copy, and closes the family
(RFC 9700, section 4.14). A successor that was spent itself proves that the answer arrived: its predecessor has no
grace left.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from serve.auth.errors import RefreshRefused, RefreshReused
from serve.auth.ids import uuid7
from serve.auth.keys import KeyRing
from serve.auth.principal import Role
from serve.auth.tokens import Issuer

ACCESS_LIFETIME_S = 15 * 60
REFRESH_LIFETIME = timedelta(days=30)
RETRY_GRACE = timedelta(seconds=10)

Clock = Callable[[], datetime]
Pool = AsyncConnectionPool[AsyncConnection[Any]]

_OPEN = """
    INSERT INTO refresh_tokens (token_hash, family_id, user_id, tenant, role, issued_at, expires_at)
    VALUES (%(token_hash)s, %(family_id)s, %(user_id)s, %(tenant)s, %(role)s, %(now)s, %(expires_at)s)"""

_ROTATE = """
    WITH spent AS (
        UPDATE refresh_tokens SET used_at = %(now)s, successor = %(successor)s
        WHERE token_hash = %(token_hash)s AND used_at IS NULL AND revoked_at IS NULL AND expires_at > %(now)s
        RETURNING family_id, user_id, tenant, role)
    INSERT INTO refresh_tokens (token_hash, family_id, user_id, tenant, role, issued_at, expires_at)
    SELECT %(successor)s, family_id, user_id, tenant, role, %(now)s, %(expires_at)s FROM spent
    RETURNING family_id, user_id, tenant, role"""

_RETRY = """
    SELECT family_id, user_id, tenant, role FROM refresh_tokens AS next
    WHERE token_hash = %(successor)s AND used_at IS NULL AND revoked_at IS NULL AND expires_at > %(now)s
      AND EXISTS (SELECT 1 FROM refresh_tokens WHERE token_hash = %(token_hash)s AND used_at >= %(grace_from)s)"""

_FAMILY = "SELECT family_id, used_at IS NOT NULL FROM refresh_tokens WHERE token_hash = %(token_hash)s"

_REVOKE = "UPDATE refresh_tokens SET revoked_at = %(now)s WHERE family_id = %(family_id)s AND revoked_at IS NULL"


class Lifetimes(Struct, frozen=True):
    """How long tokens live, in seconds: access tokens, and refresh tokens that are not used."""

    access_s: int = ACCESS_LIFETIME_S
    refresh_s: int = int(REFRESH_LIFETIME.total_seconds())


class TokenPair(Struct, frozen=True, kw_only=True):
    """What a person holds after signing up, logging in or refreshing. `expires_in`: the access token's, in seconds."""

    user_id: str
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"
    expires_in: int = ACCESS_LIFETIME_S


class Sessions:
    """Opens, renews and closes sessions in the table `refresh_tokens`."""

    def __init__(self, pool: Pool, keys: KeyRing, now: Clock, lifetimes: Lifetimes | None = None) -> None:
        self._pool = pool
        self._lifetimes = lifetimes or Lifetimes()
        self._issuer = Issuer(keys)
        self._successor_key = keys.derive("refresh-successor")
        self._now = now

    async def open(self, connection: AsyncConnection[Any], user_id: str, tenant: str, role: Role = "user") -> TokenPair:
        """Start a family, inside the caller's transaction."""
        now = self._now()
        token, family_id = secrets.token_urlsafe(32), uuid7(now)
        row = {"family_id": family_id, "user_id": user_id, "tenant": tenant, "role": role}
        await connection.execute(_OPEN, row | self._instants(now) | {"token_hash": _digest(token)})
        return self._pair((family_id, user_id, tenant, role), token, now)

    async def refresh(self, token: str) -> TokenPair:
        """Spend a refresh token for the next pair; within 10 s a retry gets the same refresh token again.

        Raises `RefreshRefused`, or `RefreshReused` after closing the family of a token that was spent before.
        """
        now, successor = self._now(), self._successor(token)
        names = self._instants(now) | {"token_hash": _digest(token), "successor": _digest(successor)}
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_ROTATE, names)).fetchone()
            # A statement of its own: it must see what a twin committed while the first one waited for its row.
            row = row or await (await connection.execute(_RETRY, names)).fetchone()
            if row:
                return self._pair(row, successor, now)
            known = await (await connection.execute(_FAMILY, names)).fetchone()
        if known is None or not known[1]:
            raise RefreshRefused
        await self._revoke(known[0], now)
        raise RefreshReused

    async def close(self, token: str) -> None:
        """Close the family of a refresh token, spent or not. An unknown token is no error. Idempotent."""
        async with self._pool.connection() as connection:
            known = await (await connection.execute(_FAMILY, {"token_hash": _digest(token)})).fetchone()
        if known:
            await self._revoke(known[0], self._now())

    async def _revoke(self, family_id: str, now: datetime) -> None:
        # Again until nothing is left: a rotation in flight may commit a successor the statement could not see. Once no
        # unrevoked row is visible there is none to rotate, so nothing can follow.
        revoked = 1
        while revoked:
            async with self._pool.connection() as connection:
                revoked = (await connection.execute(_REVOKE, {"family_id": family_id, "now": now})).rowcount

    def _pair(self, row: tuple[str, str, str, Role], refresh_token: str, now: datetime) -> TokenPair:
        family_id, user_id, tenant, role = row
        access_token = self._issuer.issue(
            user_id, tenant=tenant, role=role, session=family_id, now=now, lifetime_s=self._lifetimes.access_s
        )
        return TokenPair(
            user_id=user_id,
            access_token=access_token,
            refresh_token=refresh_token,
            expires_in=self._lifetimes.access_s,
        )

    def _successor(self, token: str) -> str:
        digest = hmac.digest(self._successor_key, token.encode("utf-8", "surrogatepass"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _instants(self, now: datetime) -> dict[str, Any]:
        expires_at = now + timedelta(seconds=self._lifetimes.refresh_s)
        return {"now": now, "expires_at": expires_at, "grace_from": now - RETRY_GRACE}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
