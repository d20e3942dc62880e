"""Signing up, in and out, and the profile."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from engine import money, periods
from engine.commands import Currency, Name, OpenUser, ProfileChanges, RaiseCaps, ShortText, UpdateProfile
from engine.queries import GetProfile
from engine.views import ProfileView
from serve import envelopes
from serve.api import challenges
from serve.api.challenges import REFUSALS, ChallengeView, Confirmation
from serve.api.routing import Answer, Call, answered, route
from serve.auth.accounts import Account
from serve.auth.errors import EmailTaken, InputRefused, RefreshRefused, WrongCredentials
from serve.auth.principal import Principal
from serve.auth.sessions import TokenPair
from serve.problems import Trouble, field_trouble

TENANT = "main"
Password = Annotated[str, Meta(min_length=1, max_length=1024)]


class SignUp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new account."""

    email: Annotated[str, Meta(max_length=320)]
    password: Password
    name: Name
    phone: ShortText | None = None
    currency: Currency = "INR"
    time_zone: Annotated[str, Meta(max_length=64)] = "Asia/Kolkata"


class LogIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credentials; `otp` is for accounts that enrolled a second factor."""

    email: Annotated[str, Meta(max_length=320)]
    password: Password
    otp: ShortText | None = None


class Refresh(Struct, frozen=True, forbid_unknown_fields=True):
    """A refresh token: it is spent by its use, its successor comes with the answer."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=512)]


async def sign_up(call: Call) -> Answer:
    """Make an account and open its actor, auto-saving on."""
    body: SignUp = call.body
    if not money.known(body.currency):
        raise field_trouble("currency", f"{body.currency!r} is not an ISO 4217 currency code such as INR, USD or JPY")
    try:
        periods.zone(body.time_zone)
    except ValueError as error:
        raise field_trouble("time_zone", str(error)) from None
    try:
        pair = await call.services.accounts.sign_up(
            body.email,
            body.password,
            body.name,
            phone=body.phone,
            currency=body.currency,
            time_zone=body.time_zone,
            tenant=TENANT,
        )
    except InputRefused as error:
        raise field_trouble(error.field, error.message) from None
    except EmailTaken:
        raise Trouble(409, "An account with this e-mail exists; log in instead.", name="email-taken") from None
    await _open(call, pair)
    return Answer(msgspec.json.encode(pair), 201)


async def log_in(call: Call) -> Answer:
    """Give tokens for an e-mail and password."""
    body: LogIn = call.body
    try:
        pair = await call.services.accounts.log_in(body.email, body.password, tenant=TENANT)
    except WrongCredentials:
        raise Trouble(401, "E-mail or password is wrong.", name="wrong-credentials") from None
    await _open(call, pair)
    return Answer(msgspec.json.encode(pair))


async def _open(call: Call, pair: TokenPair) -> None:
    """Open the person's actor with what the account says: at sign-up, and again should a crash have come between."""
    account = await call.services.accounts.find(TENANT, pair.user_id)
    if account is None:
        return
    person = Principal(user_id=pair.user_id, tenant=TENANT, role="user", session="", expires_at=0)
    wanted = envelopes.query(person, person.entity_id, GetProfile(), opening=_opening(account))
    answered(await call.services.runtime.submit(wanted))


def _opening(account: Account) -> OpenUser:
    return OpenUser(
        currency=account.currency,
        time_zone=account.time_zone,
        name=account.name,
        phone=account.phone,
        auto_saving="on",
    )


async def refresh(call: Call) -> Answer:
    """Give new tokens for a refresh token."""
    try:
        return Answer(msgspec.json.encode(await call.services.accounts.refresh(call.body.refresh_token)))
    except RefreshRefused as error:
        raise Trouble(401, error.detail, name="refresh-refused") from None


async def log_out(call: Call) -> Answer:
    """End the session of a refresh token; ending one twice is no error."""
    await call.services.accounts.log_out(call.body.refresh_token)
    return Answer(b"", 204)


async def show_profile(call: Call) -> Answer:
    """Return the settings."""
    return await call.ask(GetProfile())


async def change_profile(call: Call) -> Answer:
    """Change settings; they act on later events only. A higher cap asks for a code first (202)."""
    return challenges.asked(await call.tell(UpdateProfile(**structs.asdict(call.body))))


async def confirm_profile(call: Call) -> Answer:
    """Carry out the change of settings that waited for its code."""
    return await challenges.confirm(call, RaiseCaps)


async def jwks(call: Call) -> Answer:
    """Return the public keys that verify access tokens (RFC 7517)."""
    return Answer(msgspec.json.encode(call.services.keys.jwks()))


_WRONG = ((401, "It is wrong, was used, or has ended"),)

ROUTES = [
    route(
        "POST /signup",
        sign_up,
        tag="accounts",
        body=SignUp,
        answer=TokenPair,
        status=201,
        public=True,
        also=((409, "The e-mail has an account"),),
    ),
    route("POST /login", log_in, tag="accounts", body=LogIn, answer=TokenPair, public=True, also=_WRONG),
    route("POST /token/refresh", refresh, tag="accounts", body=Refresh, answer=TokenPair, public=True, also=_WRONG),
    route("POST /logout", log_out, tag="accounts", body=Refresh, status=204, public=True),
    route("GET /jwks.json", jwks, tag="accounts", public=True),
    route("GET /profile", show_profile, tag="profile", answer=ProfileView),
    route(
        "PATCH /profile",
        change_profile,
        tag="profile",
        body=ProfileChanges,
        answer=ProfileView,
        also_answer=ChallengeView,
        also=((202, "A cap would rise: nothing changes before the code"), (429, "Too many codes were asked for")),
    ),
    route(
        "POST /profile/confirm",
        confirm_profile,
        tag="profile",
        body=Confirmation,
        answer=ProfileView,
        also=REFUSALS,
    ),
]
