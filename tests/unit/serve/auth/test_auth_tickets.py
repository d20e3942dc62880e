"""Tickets: what is sold opens one stream, once; a token is no ticket, a ticket no token, a forgery neither."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from actors.runtime import Unavailable
from serve.auth import errors, signed
from serve.auth.keys import KeyRing, load_or_create, rotate
from serve.auth.principal import Principal, Role
from serve.auth.signed import CLOCK_SKEW_S
from serve.auth.tickets import TICKET_CHARS_MAX, TICKET_S, Tickets
from serve.auth.tokens import Issuer, Verifier
from tests.support.spent_tickets import MemorySpentTickets

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return load_or_create(tmp_path / "keys")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tickets(keys: KeyRing, clock: Clock) -> Tickets:
    return Tickets(keys, MemorySpentTickets(), clock, service_stream_s=3600)


def buyer(role: Role = "user", lifetime_s: float = 900, user_id: str = "asha", tenant: str = "acme") -> Principal:
    ends = int(NOW.timestamp() + lifetime_s)
    return Principal(user_id=user_id, tenant=tenant, role=role, session="family", expires_at=ends)


def claims_of(ticket: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(ticket.split(".")[1] + "=="))
    return found


def forged(keys: KeyRing, tickets: Tickets, type_: str = "boond-ticket+jwt", **claims: Any) -> str:
    """Return a ticket signed with the real key, with these claims changed; None takes one away."""
    changed = claims_of(tickets.issue(buyer(), "asha").ticket) | claims
    kept = {name: value for name, value in changed.items() if value is not None}
    return signed.sign(keys, type_, msgspec.json.encode(kept))


async def test_a_ticket_opens_the_stream_of_its_user_until_the_token_ends(tickets: Tickets) -> None:
    sold = tickets.issue(buyer(), "asha")
    assert (sold.expires_at, sold.expires_in) == (NOW + timedelta(seconds=TICKET_S), TICKET_S)
    found = await tickets.redeem(sold.ticket)
    assert (found.entity_id, found.role, found.session) == ("acme/asha", "user", "family")
    assert found.expires_at == NOW.timestamp() + 900


async def test_a_service_sells_the_stream_of_a_user_for_a_settable_time(tickets: Tickets) -> None:
    found = await tickets.redeem(tickets.issue(buyer("service", 86_400, "wallet"), "ravi").ticket)
    assert (found.entity_id, found.role) == ("acme/ravi", "user")
    assert found.expires_at == NOW.timestamp() + 3600


async def test_a_ticket_never_outlives_the_token_it_was_bought_with(tickets: Tickets) -> None:
    assert tickets.issue(buyer(lifetime_s=7), "asha").expires_in == 7
    found = await tickets.redeem(tickets.issue(buyer("service", 600, "wallet"), "ravi").ticket)
    assert found.expires_at == NOW.timestamp() + 600


async def test_a_ticket_is_used_once_by_whatever_process(keys: KeyRing, clock: Clock) -> None:
    spent = MemorySpentTickets()
    here, there = Tickets(keys, spent, clock), Tickets(keys, spent, clock)
    sold = here.issue(buyer(), "asha").ticket
    await there.redeem(sold)
    for again in (here, there):
        with pytest.raises(errors.TicketSpent):
            await again.redeem(sold)


async def test_a_ticket_ends_after_half_a_minute_and_is_not_spent_by_trying(tickets: Tickets, clock: Clock) -> None:
    sold = tickets.issue(buyer(), "asha").ticket
    clock.at = NOW + timedelta(seconds=TICKET_S)
    with pytest.raises(errors.TicketExpired):
        await tickets.redeem(sold)
    clock.at = NOW + timedelta(seconds=TICKET_S - 1)
    await tickets.redeem(sold)


async def test_a_ticket_of_a_clock_that_runs_ahead_is_taken_within_the_allowance(
    tickets: Tickets, clock: Clock
) -> None:
    sold = tickets.issue(buyer(), "asha").ticket
    clock.at = NOW - timedelta(seconds=CLOCK_SKEW_S + 1)
    with pytest.raises(errors.TicketRefused):
        await tickets.redeem(sold)
    clock.at = NOW - timedelta(seconds=CLOCK_SKEW_S)
    await tickets.redeem(sold)


async def test_an_access_token_is_no_ticket_and_a_ticket_no_access_token(tickets: Tickets, keys: KeyRing) -> None:
    with pytest.raises(errors.TicketRefused):
        await tickets.redeem(Issuer(keys).issue("asha", now=NOW, lifetime_s=900))
    with pytest.raises(errors.TokenTypeRefused):
        Verifier(keys).verify(tickets.issue(buyer(), "asha").ticket, NOW)


async def test_a_forgery_that_changes_nothing_is_taken_so_the_others_fail_for_their_reason(
    tickets: Tickets, keys: KeyRing
) -> None:
    assert (await tickets.redeem(forged(keys, tickets))).user_id == "asha"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "boond"},
        {"iss": "urn:boond:other"},
        {"jti": "short"},
        {"jti": "zz" * 16},
        {"jti": None},
        {"exp": None},
        {"until": None},
        {"exp": "never"},
        {"sub": "a/b"},
        {"sub": "~group"},
        {"tenant": "../main"},
    ],
)
async def test_wrong_missing_or_ill_typed_claims_are_refused(
    tickets: Tickets, keys: KeyRing, claims: dict[str, Any]
) -> None:
    with pytest.raises(errors.TicketRefused):
        await tickets.redeem(forged(keys, tickets, **claims))


async def test_a_token_with_the_claims_of_a_ticket_is_refused_by_its_type(tickets: Tickets, keys: KeyRing) -> None:
    for type_ in ("at+jwt", "JWT", ""):
        with pytest.raises(errors.TicketRefused):
            await tickets.redeem(forged(keys, tickets, type_))


async def test_what_is_no_ticket_at_all_is_refused(tickets: Tickets, keys: KeyRing, tmp_path: Path) -> None:
    theirs = Tickets(load_or_create(tmp_path / "other"), MemorySpentTickets(), Clock())
    sold = tickets.issue(buyer(), "asha").ticket
    foreign = theirs.issue(buyer(), "asha").ticket
    for text in ("", "a.b.c", "\u0915", "x" * (TICKET_CHARS_MAX + 1), sold[:-4] + "AAAA", foreign):
        with pytest.raises(errors.TicketRefused) as refusal:
            await tickets.redeem(text)
        assert not text or text not in str(refusal.value)


async def test_a_ticket_of_the_key_before_is_taken_after_a_rotation(tickets: Tickets, tmp_path: Path) -> None:
    sold = tickets.issue(buyer(), "asha").ticket
    after = Tickets(rotate(tmp_path / "keys"), MemorySpentTickets(), Clock())
    assert (await after.redeem(sold)).user_id == "asha"


async def test_when_nobody_can_say_whether_it_is_spent_the_ticket_is_not_refused(keys: KeyRing, clock: Clock) -> None:
    class Away(MemorySpentTickets):
        @override
        async def spend(self, ticket_id: bytes, expires_at: datetime) -> bool:
            raise Unavailable("no Postgres")

    shop = Tickets(keys, Away(), clock)
    with pytest.raises(Unavailable):
        await shop.redeem(shop.issue(buyer(), "asha").ticket)
