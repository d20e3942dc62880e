"""What this server signs: JWTs with EdDSA, one type a purpose (RFC 8725, 3.11), under the keys of one data folder.

The signature is PyJWT's work, with one algorithm registered, so that no header can choose another.
"""

import jwt

from serve.auth.errors import (
    TokenAlgorithmRefused,
    TokenKeyUnknown,
    TokenMalformed,
    TokenSignatureWrong,
    TokenTypeRefused,
)
from serve.auth.keys import KeyRing

CLOCK_SKEW_S = 30
"""How far ahead the clock of the issuing machine may be. Expiry gets no such allowance."""

_ALGORITHM = "EdDSA"
_JWS = jwt.PyJWS(algorithms=[_ALGORITHM])


def sign(keys: KeyRing, type_: str, claims: bytes) -> str:
    """Return the claims, signed with the current key."""
    return _JWS.encode(claims, keys.signing_key, _ALGORITHM, {"typ": type_, "kid": keys.signing_kid})


def opened(keys: KeyRing, type_: str, raw: bytes) -> bytes:
    """Return the signed bytes. The key is our own ring's, by `kid`; `jku`, `x5u` and `jwk` are not looked at.

    Raises a `TokenRefused` that says what is wrong.
    """
    try:
        header = _JWS.get_unverified_header(raw)
    except jwt.InvalidTokenError:
        raise TokenMalformed from None
    if header.get("alg") != _ALGORITHM:
        raise TokenAlgorithmRefused
    if header.get("typ") != type_:
        raise TokenTypeRefused
    key = keys.verifying_keys.get(header.get("kid", ""))
    if key is None:
        raise TokenKeyUnknown
    try:
        payload: bytes = _JWS.decode(raw, key, [_ALGORITHM])
    except jwt.InvalidSignatureError:
        raise TokenSignatureWrong from None
    except jwt.InvalidTokenError:
        raise TokenMalformed from None
    return payload
