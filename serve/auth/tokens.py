"""Access tokens: JWTs signed with EdDSA, checked as RFC 8725 asks, in the claims of RFC 9068 plus `tenant` and `role`.

The signature is the work of `signed`; the claims are checked here, against the caller's clock.
"""

import hashlib
import secrets
from datetime import datetime

import msgspec

from serve.auth.errors import (
    InputRefused,
    TokenAudienceWrong,
    TokenExpired,
    TokenIssuerWrong,
    TokenMalformed,
    TokenNotYetValid,
    TokenTooLong,
)
from serve.auth.keys import KeyRing
from serve.auth.principal import ROLES, Principal, Role, check_tenant, check_user_id
from serve.auth.signed import CLOCK_SKEW_S, opened, sign

AUDIENCE = "boond"
TOKEN_CHARS_MAX = 8192
LIFETIME_S_MAX = 366 * 86_400

_TYPE = "at+jwt"


class _Claims(msgspec.Struct, frozen=True):
    """What a token says. `sid` is the refresh family; absent in a token that has none."""

    iss: str
    aud: str
    sub: str
    tenant: str
    role: Role
    iat: int
    nbf: int
    exp: int
    jti: str
    sid: str = ""


_CLAIMS = msgspec.json.Decoder(_Claims)


class Issuer:
    """Signs access tokens with the current key of one data folder."""

    def __init__(self, keys: KeyRing, audience: str = AUDIENCE) -> None:
        self._keys = keys
        self._audience = audience

    def issue(
        self,
        user_id: str,
        *,
        now: datetime,
        lifetime_s: int,
        tenant: str = "main",
        role: Role = "user",
        session: str = "",
    ) -> str:
        """Return a token valid from `now` for `lifetime_s` (1 s to 366 days). Raises `InputRefused`."""
        if role not in ROLES:
            raise InputRefused("role", f"expected one of {', '.join(ROLES)}")
        if not 1 <= lifetime_s <= LIFETIME_S_MAX:
            raise InputRefused("lifetime_s", f"expected 1 to {LIFETIME_S_MAX}")
        issued_at = int(now.timestamp())
        claims = _Claims(
            iss=self._keys.issuer,
            aud=self._audience,
            sub=check_user_id(user_id),
            tenant=check_tenant(tenant),
            role=role,
            iat=issued_at,
            nbf=issued_at,
            exp=issued_at + lifetime_s,
            jti=secrets.token_urlsafe(16),
            sid=session,
        )
        return sign(self._keys, _TYPE, msgspec.json.encode(claims))


class Verifier:
    """Turns tokens into principals; a verified one is remembered by its SHA-256 until it expires.

    `remembered_max` bounds the memory (about 0.7 kB each); the least recently used go first.
    """

    def __init__(self, keys: KeyRing, audience: str = AUDIENCE, remembered_max: int = 20_000) -> None:
        self._keys = keys
        self._audience = audience
        self._remembered_max = remembered_max
        self._remembered: dict[bytes, Principal] = {}

    def verify(self, token: str, now: datetime) -> Principal:
        """Return whom the token stands for. Raises a `TokenRefused`, whose message holds nothing of the token."""
        if len(token) > TOKEN_CHARS_MAX:
            raise TokenTooLong
        try:
            raw = token.encode("ascii")
        except UnicodeEncodeError:
            raise TokenMalformed from None
        digest = hashlib.sha256(raw).digest()
        principal = self._remembered.pop(digest, None) or self._check(raw, now.timestamp())
        if principal.expires_at <= now.timestamp():
            raise TokenExpired
        self._remember(digest, principal)
        return principal

    def _remember(self, digest: bytes, principal: Principal) -> None:
        # Popped on a hit and put back at the end, so the front of the dict is the least recently used.
        self._remembered[digest] = principal
        if len(self._remembered) > self._remembered_max:
            self._remembered.pop(next(iter(self._remembered)), None)

    def _check(self, raw: bytes, now_s: float) -> Principal:
        claims = self._claims(opened(self._keys, _TYPE, raw))
        if max(claims.nbf, claims.iat) > now_s + CLOCK_SKEW_S:
            raise TokenNotYetValid
        try:
            user_id, tenant = check_user_id(claims.sub), check_tenant(claims.tenant)
        except InputRefused:
            raise TokenMalformed from None
        session = claims.sid or claims.jti
        return Principal(user_id=user_id, tenant=tenant, role=claims.role, session=session, expires_at=claims.exp)

    def _claims(self, payload: bytes) -> _Claims:
        try:
            claims = _CLAIMS.decode(payload)
        except msgspec.DecodeError:
            raise TokenMalformed from None
        if claims.iss != self._keys.issuer:
            raise TokenIssuerWrong
        if claims.aud != self._audience:
            raise TokenAudienceWrong
        return claims
