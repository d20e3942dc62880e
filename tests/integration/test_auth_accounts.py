"""Accounts and refresh families on a real Postgres."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from serve.auth.accounts import Accounts, normalise_email
from serve.auth.errors import (
    Busy,
    EmailTaken,
    InputRefused,
    RefreshRefused,
    RefreshReused,
    WrongCredentials,
)
from serve.auth.keys import KeyRing, load_or_create
from serve.auth.passwords import Passwords
from serve.auth.sessions import REFRESH_LIFETIME, RETRY_GRACE, Pool, TokenPair
from serve.auth.tokens import Verifier

PASSWORD = "correct horse battery 9!"
PAST_GRACE = RETRY_GRACE + timedelta(milliseconds=1)


class Clock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return load_or_create(tmp_path / "keys")


@pytest.fixture(params=[False, True], ids=["transactions", "autocommit"])
async def pool(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Pool]:
    """Either mode of connection, so that the composition root may choose."""
    kwargs = {"autocommit": request.param}
    async with AsyncConnectionPool(database_url, min_size=1, max_size=8, kwargs=kwargs, open=False) as opened:
        yield opened


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    cheap = Passwords(threads=1, memory_kib=8, passes=1)
    yield cheap
    cheap.close()


@pytest.fixture
def accounts(pool: Pool, keys: KeyRing, passwords: Passwords, clock: Clock) -> Accounts:
    return Accounts(pool, keys, passwords, clock)


@pytest.fixture
async def signed_up(accounts: Accounts) -> TokenPair:
    return await accounts.sign_up("asha@example.com", PASSWORD, "Asha")


async def rows(pool: Pool, query: str) -> list[Any]:
    async with pool.connection() as connection:
        return await (await connection.execute(query.encode())).fetchall()


async def until_waiting(pool: Pool, backends: int) -> None:
    """Return when so many backends of this database wait for another's row lock."""
    deadline = time.monotonic() + 20
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while (await rows(pool, query))[0][0] < backends:
        assert time.monotonic() < deadline, f"never saw {backends} backends wait"
        await asyncio.sleep(0.01)


async def test_signing_up_logs_in_with_a_sortable_id(signed_up: TokenPair, keys: KeyRing, clock: Clock) -> None:
    principal = Verifier(keys).verify(signed_up.access_token, clock())
    assert (principal.user_id, principal.tenant, principal.role) == (signed_up.user_id, "main", "user")
    assert principal.expires_at == clock().timestamp() + signed_up.expires_in
    user_id = uuid.UUID(signed_up.user_id)
    assert (user_id.version, user_id.variant) == (7, uuid.RFC_4122)
    assert user_id.int >> 80 == int(clock().timestamp() * 1000)


async def test_the_account_keeps_what_was_given_and_no_password(accounts: Accounts, pool: Pool, clock: Clock) -> None:
    pair = await accounts.sign_up(
        " Budi@Example.COM ", PASSWORD, "Budi", phone="+62811", currency="IDR", time_zone="Asia/Jakarta"
    )
    account = await accounts.find("main", pair.user_id)
    assert account is not None
    assert (account.email, account.name, account.phone) == ("budi@example.com", "Budi", "+62811")
    assert (account.currency, account.time_zone, account.created_at) == ("IDR", "Asia/Jakarta", clock())
    assert await accounts.find("acme", pair.user_id) is None
    dumped = str(await rows(pool, "SELECT a::text, t::text FROM accounts a, refresh_tokens t"))
    assert PASSWORD not in dumped
    assert pair.refresh_token not in dumped


async def test_an_email_has_one_account_a_tenant(accounts: Accounts, signed_up: TokenPair, pool: Pool) -> None:
    with pytest.raises(EmailTaken):
        await accounts.sign_up("ASHA@example.com ", PASSWORD, "Another")
    assert await rows(pool, "SELECT count(*) FROM refresh_tokens") == [(1,)]
    elsewhere = await accounts.sign_up("asha@example.com", PASSWORD, "Asha", tenant="acme")
    assert elsewhere.user_id != signed_up.user_id


async def test_of_parallel_sign_ups_with_one_email_one_wins(accounts: Accounts) -> None:
    attempts = [accounts.sign_up("asha@example.com", PASSWORD, "Asha") for _ in range(6)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["EmailTaken"] * 5 + ["TokenPair"]


@pytest.mark.parametrize(
    "email",
    [
        *("", "asha", "@example.com", "a@b@example.com", "a b@example.com", "a@localhost", "a@.com"),
        *("a\0@example.com", "a@example.com\u200b", "x" * 65 + "@example.com", "a@" + "x." * 130 + "com"),
    ],
)
def test_what_is_no_email_is_refused(email: str) -> None:
    with pytest.raises(InputRefused) as refused:
        normalise_email(email)
    assert refused.value.field == "email"


async def test_a_weak_password_makes_no_account(accounts: Accounts, pool: Pool) -> None:
    with pytest.raises(InputRefused):
        await accounts.sign_up("asha@example.com", "asha@example.com", "Asha")
    assert await rows(pool, "SELECT count(*) FROM accounts") == [(0,)]


async def test_logging_in_opens_a_session_of_its_own(accounts: Accounts, signed_up: TokenPair) -> None:
    again = await accounts.log_in(" Asha@example.com", PASSWORD)
    assert again.user_id == signed_up.user_id
    await accounts.log_out(again.refresh_token)
    assert (await accounts.refresh(signed_up.refresh_token)).user_id == signed_up.user_id


@pytest.mark.parametrize("email", ["asha@example.com", "nobody@example.com", "no e-mail at all", "a\0@example.com"])
async def test_a_failed_log_in_says_and_does_the_same_for_everyone(
    accounts: Accounts, signed_up: TokenPair, passwords: Passwords, monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    checks: list[str | None] = []
    real = passwords.verify

    async def counting(password: str, stored: str | None) -> bool:
        checks.append(stored)
        return await real(password, stored)

    monkeypatch.setattr(passwords, "verify", counting)
    with pytest.raises(WrongCredentials) as wrong:
        await accounts.log_in(email, "not the password")
    assert str(wrong.value) == WrongCredentials.__doc__
    assert len(checks) == 1
    assert (checks[0] is not None) == (email == "asha@example.com")


async def test_a_log_in_is_of_one_tenant(accounts: Accounts, signed_up: TokenPair) -> None:
    with pytest.raises(WrongCredentials):
        await accounts.log_in("asha@example.com", PASSWORD, tenant="acme")


async def test_a_log_in_brings_the_hash_to_the_present_cost(
    pool: Pool, keys: KeyRing, clock: Clock, signed_up: TokenPair
) -> None:
    dearer = Passwords(threads=1, memory_kib=16, passes=1)
    accounts = Accounts(pool, keys, dearer, clock)
    await accounts.log_in("asha@example.com", PASSWORD)
    [(stored,)] = await rows(pool, "SELECT password_hash FROM accounts")
    assert not dearer.needs_rehash(stored)
    assert (await accounts.log_in("asha@example.com", PASSWORD)).user_id == signed_up.user_id
    dearer.close()


async def test_a_busy_moment_postpones_the_new_hash_not_the_log_in(
    pool: Pool, keys: KeyRing, clock: Clock, signed_up: TokenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    dearer = Passwords(threads=1, memory_kib=16, passes=1)

    async def full(_: str) -> str:
        raise Busy

    monkeypatch.setattr(dearer, "rehash", full)
    pair = await Accounts(pool, keys, dearer, clock).log_in("asha@example.com", PASSWORD)
    assert pair.user_id == signed_up.user_id
    dearer.close()


async def test_a_refresh_replaces_the_token_and_keeps_the_session(
    accounts: Accounts, signed_up: TokenPair, keys: KeyRing, clock: Clock
) -> None:
    pair = signed_up
    seen = {pair.refresh_token}
    for _ in range(3):
        clock.advance(timedelta(minutes=15))
        pair = await accounts.refresh(pair.refresh_token)
        seen.add(pair.refresh_token)
    assert len(seen) == 4
    verifier = Verifier(keys)
    now = verifier.verify(pair.access_token, clock())
    then = verifier.verify(signed_up.access_token, datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
    assert (now.user_id, now.tenant, now.role, now.session) == (then.user_id, then.tenant, then.role, then.session)


async def test_an_honest_retry_within_the_grace_gets_the_same_successor(
    accounts: Accounts, signed_up: TokenPair, clock: Clock
) -> None:
    first = await accounts.refresh(signed_up.refresh_token)
    clock.advance(RETRY_GRACE)
    assert (await accounts.refresh(signed_up.refresh_token)).refresh_token == first.refresh_token
    assert (await accounts.refresh(first.refresh_token)).refresh_token != first.refresh_token


async def test_a_spent_token_that_comes_back_later_closes_its_family(
    accounts: Accounts, signed_up: TokenPair, clock: Clock
) -> None:
    other_session = await accounts.log_in("asha@example.com", PASSWORD)
    successor = await accounts.refresh(signed_up.refresh_token)
    clock.advance(PAST_GRACE)
    with pytest.raises(RefreshReused):
        await accounts.refresh(signed_up.refresh_token)
    with pytest.raises(RefreshRefused):
        await accounts.refresh(successor.refresh_token)
    assert (await accounts.refresh(other_session.refresh_token)).user_id == signed_up.user_id


async def test_a_spent_token_has_no_grace_once_its_successor_was_spent(
    accounts: Accounts, signed_up: TokenPair
) -> None:
    second = await accounts.refresh(signed_up.refresh_token)
    third = await accounts.refresh(second.refresh_token)
    with pytest.raises(RefreshReused):
        await accounts.refresh(signed_up.refresh_token)
    with pytest.raises(RefreshRefused):
        await accounts.refresh(third.refresh_token)


async def test_parallel_refreshes_of_one_token_leave_one_line(
    accounts: Accounts, signed_up: TokenPair, pool: Pool, database_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("SELECT 1 FROM refresh_tokens FOR UPDATE")
        twins = [asyncio.ensure_future(accounts.refresh(signed_up.refresh_token)) for _ in range(6)]
        await until_waiting(pool, 6)
        await holder.rollback()
        pairs = await asyncio.gather(*twins)
    assert len({pair.refresh_token for pair in pairs}) == 1
    count = "SELECT count(*) FILTER (WHERE used_at IS NULL), count(used_at) FROM refresh_tokens"
    assert await rows(pool, count) == [(1, 1)]


async def test_a_rotation_in_flight_does_not_escape_a_revocation(
    accounts: Accounts, signed_up: TokenPair, pool: Pool, database_url: str, clock: Clock
) -> None:
    await accounts.refresh(signed_up.refresh_token)
    clock.advance(PAST_GRACE)
    async with await psycopg.AsyncConnection.connect(database_url) as rotation:
        await rotation.execute(
            """WITH spent AS (UPDATE refresh_tokens SET used_at = %(now)s WHERE used_at IS NULL RETURNING *)
               INSERT INTO refresh_tokens (token_hash, family_id, user_id, tenant, role, issued_at, expires_at)
               SELECT 'third', family_id, user_id, tenant, role, %(now)s, expires_at FROM spent""",
            {"now": clock()},
        )
        reuse = asyncio.ensure_future(accounts.refresh(signed_up.refresh_token))
        await until_waiting(pool, 1)
        await rotation.commit()
    with pytest.raises(RefreshReused):
        await reuse
    assert await rows(pool, "SELECT count(*), count(revoked_at) FROM refresh_tokens") == [(3, 3)]


async def test_logging_out_closes_the_session_by_any_of_its_tokens(accounts: Accounts, signed_up: TokenPair) -> None:
    successor = await accounts.refresh(signed_up.refresh_token)
    await accounts.log_out(signed_up.refresh_token)
    await accounts.log_out(signed_up.refresh_token)
    for token in (signed_up.refresh_token, successor.refresh_token):
        with pytest.raises(RefreshRefused):
            await accounts.refresh(token)


async def test_a_refresh_token_ends_with_its_lifetime(accounts: Accounts, signed_up: TokenPair, clock: Clock) -> None:
    clock.advance(REFRESH_LIFETIME)
    with pytest.raises(RefreshRefused) as refused:
        await accounts.refresh(signed_up.refresh_token)
    assert not isinstance(refused.value, RefreshReused)


@pytest.mark.parametrize("token", ["", "unknown", "\0", "\ud800", "x" * 100_000])
async def test_an_unknown_token_is_refused_and_its_log_out_is_no_error(accounts: Accounts, token: str) -> None:
    with pytest.raises(RefreshRefused):
        await accounts.refresh(token)
    await accounts.log_out(token)


async def test_a_successor_cannot_be_computed_without_the_servers_secret(
    pool: Pool, passwords: Passwords, clock: Clock, signed_up: TokenPair, tmp_path: Path, accounts: Accounts
) -> None:
    stranger = Accounts(pool, load_or_create(tmp_path / "stranger"), passwords, clock)
    await accounts.refresh(signed_up.refresh_token)
    with pytest.raises(RefreshReused):
        await stranger.refresh(signed_up.refresh_token)
