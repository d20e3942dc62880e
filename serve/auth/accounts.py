"""Accounts of people: one e-mail a tenant, one password, in SQL; the person's actor opens lazily from the account."""

import re
import unicodedata
from datetime import datetime
from typing import Any, NoReturn

from msgspec import Struct
from psycopg.rows import class_row

from serve.auth.errors import Busy, EmailTaken, InputRefused, WrongCredentials
from serve.auth.ids import uuid7
from serve.auth.keys import KeyRing
from serve.auth.passwords import Passwords
from serve.auth.sessions import Clock, Lifetimes, Pool, Sessions, TokenPair

EMAIL_CHARS_MAX = 254

_EMAIL = re.compile(r"[^\s@]{1,64}@(?:[^\s@.]{1,63}\.)+[^\s@.]{2,63}")

_ADD = """
    INSERT INTO accounts (user_id, tenant, email, password_hash, name, phone, currency, time_zone, created_at)
    VALUES (%(user_id)s, %(tenant)s, %(email)s, %(password_hash)s,
            %(name)s, %(phone)s, %(currency)s, %(time_zone)s, %(now)s)
    ON CONFLICT (tenant, email) DO NOTHING
    RETURNING user_id"""

_CREDENTIALS = "SELECT user_id, password_hash FROM accounts WHERE tenant = %(tenant)s AND email = %(email)s"

_REHASH = """
    UPDATE accounts SET password_hash = %(renewed)s
    WHERE user_id = %(user_id)s AND password_hash = %(stored)s"""

_FIND = """
    SELECT user_id, tenant, email, name, phone, currency, time_zone, created_at FROM accounts
    WHERE tenant = %(tenant)s AND user_id = %(user_id)s"""


class Account(Struct, frozen=True, kw_only=True):
    """What a person gave when signing up, without the password's hash."""

    user_id: str
    tenant: str
    email: str
    name: str
    phone: str | None
    currency: str
    time_zone: str
    created_at: datetime


def normalise_email(email: str) -> str:
    """Return the form under which an account is unique: stripped, NFC, lower case. Raises `InputRefused`."""
    normal = unicodedata.normalize("NFC", email.strip()).lower()
    unprintable = any(unicodedata.category(char).startswith("C") for char in normal)
    if unprintable or len(normal) > EMAIL_CHARS_MAX or not _EMAIL.fullmatch(normal):
        raise InputRefused("email", "expected an address like name@example.com")
    return normal


class Accounts:
    """Signs people up and in, and hands out their sessions. What hashes or checks a password may raise `Busy`."""

    def __init__(
        self, pool: Pool, keys: KeyRing, passwords: Passwords, now: Clock, lifetimes: Lifetimes | None = None
    ) -> None:
        self._pool = pool
        self._passwords = passwords
        self._sessions = Sessions(pool, keys, now, lifetimes)
        self._now = now

    async def sign_up(
        self,
        email: str,
        password: str,
        name: str,
        *,
        phone: str | None = None,
        currency: str = "INR",
        time_zone: str = "Asia/Kolkata",
        tenant: str = "main",
    ) -> TokenPair:
        """Make an account and log in, both or neither. Raises `InputRefused`, `EmailTaken`.

        The caller has checked name, phone, currency and zone against the types of `engine.commands.OpenUser`.
        """
        email, now = normalise_email(email), self._now()
        user_id = uuid7(now)
        password_hash = await self._passwords.hash(password, email)
        row = {"user_id": user_id, "tenant": tenant, "email": email, "password_hash": password_hash, "now": now}
        row |= {"name": name, "phone": phone, "currency": currency, "time_zone": time_zone}
        async with self._pool.connection() as connection, connection.transaction():
            if not await (await connection.execute(_ADD, row)).fetchone():
                raise EmailTaken
            return await self._sessions.open(connection, user_id, tenant)

    async def log_in(self, email: str, password: str, *, tenant: str = "main") -> TokenPair:
        """Return a new session. Raises `WrongCredentials`, after the same work whether or not the account exists."""
        try:
            email = normalise_email(email)
        except InputRefused:
            await self._refuse(password)
        async with self._pool.connection() as connection:
            found = await (await connection.execute(_CREDENTIALS, {"tenant": tenant, "email": email})).fetchone()
        if found is None:
            await self._refuse(password)
        user_id, stored = found
        if not await self._passwords.verify(password, stored):
            raise WrongCredentials
        if self._passwords.needs_rehash(stored):
            await self._rehash(user_id, password, stored)
        async with self._pool.connection() as connection, connection.transaction():
            return await self._sessions.open(connection, user_id, tenant)

    async def refresh(self, refresh_token: str) -> TokenPair:
        """See `Sessions.refresh`."""
        return await self._sessions.refresh(refresh_token)

    async def log_out(self, refresh_token: str) -> None:
        """Close the session of a refresh token; access tokens already out live to their end. Idempotent."""
        await self._sessions.close(refresh_token)

    async def find(self, tenant: str, user_id: str) -> Account | None:
        """Return the account of a person; None for one whom a service opened."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(Account)) as cursor:
            await cursor.execute(_FIND, {"tenant": tenant, "user_id": user_id})
            return await cursor.fetchone()

    async def _refuse(self, password: str) -> NoReturn:
        await self._passwords.verify(password, None)
        raise WrongCredentials

    async def _rehash(self, user_id: str, password: str, stored: str) -> None:
        try:
            renewed = await self._passwords.rehash(password)
        except Busy:
            return
        names: dict[str, Any] = {"user_id": user_id, "stored": stored, "renewed": renewed}
        async with self._pool.connection() as connection:
            await connection.execute(_REHASH, names)
