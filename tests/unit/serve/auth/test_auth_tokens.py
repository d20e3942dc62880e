"""Access tokens: what is issued is accepted; every forgery in RFC 8725's book is not."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from serve.auth import errors
from serve.auth.keys import KeyRing, load_or_create, rotate
from serve.auth.principal import Principal
from serve.auth.signed import CLOCK_SKEW_S
from serve.auth.tokens import LIFETIME_S_MAX, TOKEN_CHARS_MAX, Issuer, Verifier

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return load_or_create(tmp_path / "keys")


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpack(part: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(part + "=="))
    return found


def unsigned(keys: KeyRing, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return header and claims of a good token with these changes; None takes a member away."""
    parts = Issuer(keys).issue("asha", now=NOW, lifetime_s=900).split(".")
    changed = [unpack(part) | change for part, change in zip(parts, (header, claims), strict=False)]
    kept = [{name: value for name, value in part.items() if value is not None} for part in changed]
    return ".".join(base64url(msgspec.json.encode(part)) for part in kept)


def forged(keys: KeyRing, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Return such a token signed with the real key: only the changed member can be what is refused."""
    signed = unsigned(keys, header or {}, claims)
    return f"{signed}.{base64url(keys.signing_key.sign(signed.encode()))}"


def test_an_issued_token_stands_for_its_principal(keys: KeyRing) -> None:
    token = Issuer(keys).issue("wallet", now=NOW, lifetime_s=900, tenant="acme", role="service", session="family")
    found = Verifier(keys).verify(token, NOW)
    assert (found.user_id, found.tenant, found.role, found.session) == ("wallet", "acme", "service", "family")
    assert found.expires_at == NOW.timestamp() + 900


def test_a_token_without_a_family_is_its_own_session(keys: KeyRing) -> None:
    first, second = (Verifier(keys).verify(Issuer(keys).issue("a", now=NOW, lifetime_s=9), NOW) for _ in range(2))
    assert first.session
    assert first.session != second.session


def test_header_and_claims_are_those_of_rfc_9068(keys: KeyRing) -> None:
    header, claims = (unpack(part) for part in Issuer(keys).issue("asha", now=NOW, lifetime_s=900).split(".")[:2])
    assert header == {"typ": "at+jwt", "alg": "EdDSA", "kid": keys.signing_kid}
    assert set(claims) >= {"iss", "aud", "sub", "tenant", "role", "iat", "nbf", "exp", "jti"}


def test_a_forgery_that_changes_nothing_is_accepted_so_the_others_fail_for_their_reason(keys: KeyRing) -> None:
    assert Verifier(keys).verify(forged(keys), NOW).user_id == "asha"


def test_alg_none_is_refused(keys: KeyRing) -> None:
    for algorithm in ("none", "None", "NONE", "", None):
        with pytest.raises(errors.TokenAlgorithmRefused):
            Verifier(keys).verify(unsigned(keys, {"alg": algorithm}, {}) + ".", NOW)


def test_hs256_with_the_public_key_as_its_secret_is_refused(keys: KeyRing) -> None:
    public = keys.signing_key.public_key()
    signed = unsigned(keys, {"alg": "HS256"}, {"role": "admin"})
    for secret in (
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ):
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        with pytest.raises(errors.TokenAlgorithmRefused):
            Verifier(keys).verify(f"{signed}.{base64url(mac)}", NOW)


def test_a_changed_claim_breaks_the_signature(keys: KeyRing) -> None:
    signature = Issuer(keys).issue("asha", now=NOW, lifetime_s=900).rpartition(".")[2]
    with pytest.raises(errors.TokenSignatureWrong):
        Verifier(keys).verify(f"{unsigned(keys, {}, {'role': 'admin'})}.{signature}", NOW)


def test_a_token_of_another_instance_is_refused(keys: KeyRing, tmp_path: Path) -> None:
    with pytest.raises(errors.TokenKeyUnknown):
        Verifier(keys).verify(Issuer(load_or_create(tmp_path / "other")).issue("a", now=NOW, lifetime_s=900), NOW)


def test_a_foreign_key_under_our_key_id_is_refused(keys: KeyRing, tmp_path: Path) -> None:
    theirs = load_or_create(tmp_path / "other")
    with pytest.raises(errors.TokenSignatureWrong):
        Verifier(keys).verify(forged(theirs, {"kid": keys.signing_kid}, iss=keys.issuer), NOW)


def test_a_key_carried_in_the_header_is_not_looked_at(keys: KeyRing, tmp_path: Path) -> None:
    theirs = load_or_create(tmp_path / "other")
    header = {"jwk": theirs.jwks()["keys"][0], "jku": "https://example.com/jwks.json"}
    with pytest.raises(errors.TokenKeyUnknown):
        Verifier(keys).verify(forged(theirs, header, iss=keys.issuer), NOW)


@pytest.mark.parametrize("kid", ["", "../../etc/passwd", "' OR 1=1 --", None])
def test_a_key_id_is_only_looked_up(keys: KeyRing, kid: str | None) -> None:
    with pytest.raises(errors.TokenKeyUnknown):
        Verifier(keys).verify(forged(keys, {"kid": kid}), NOW)


@pytest.mark.parametrize("typ", ["JWT", "jwt", "id+jwt", "", None])
def test_another_type_of_token_is_refused(keys: KeyRing, typ: str | None) -> None:
    with pytest.raises(errors.TokenTypeRefused):
        Verifier(keys).verify(forged(keys, {"typ": typ}), NOW)


def test_another_audience_is_refused(keys: KeyRing) -> None:
    with pytest.raises(errors.TokenAudienceWrong):
        Verifier(keys).verify(forged(keys, aud="mail"), NOW)


def test_another_issuer_is_refused(keys: KeyRing) -> None:
    with pytest.raises(errors.TokenIssuerWrong):
        Verifier(keys).verify(forged(keys, iss="urn:boond:other"), NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"sub": None},
        {"jti": None},
        {"exp": "never"},
        {"aud": ["boond", "mail"]},
        {"role": "root"},
        {"sub": "a/b"},
        {"tenant": "../main"},
    ],
)
def test_missing_or_ill_typed_claims_are_refused(keys: KeyRing, claims: dict[str, Any]) -> None:
    with pytest.raises(errors.TokenMalformed):
        Verifier(keys).verify(forged(keys, **claims), NOW)


@pytest.mark.parametrize("extension", [{"crit": ["b64"], "b64": False}, {"crit": ["x"], "x": 1}, {"crit": []}])
def test_critical_extensions_are_refused(keys: KeyRing, extension: dict[str, Any]) -> None:
    with pytest.raises(errors.TokenMalformed):
        Verifier(keys).verify(forged(keys, extension), NOW)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "a.b", "é.é.é", "\ud800", "W10.W10.W10", "{}.{}.{}"])
def test_what_is_no_jwt_is_refused(keys: KeyRing, token: str) -> None:
    with pytest.raises(errors.TokenMalformed):
        Verifier(keys).verify(token, NOW)


def test_an_oversized_token_is_refused_before_it_is_read(keys: KeyRing) -> None:
    oversized = forged(keys, padding="x" * TOKEN_CHARS_MAX)
    with pytest.raises(errors.TokenTooLong):
        Verifier(keys).verify(oversized, NOW)


def test_a_token_ends_with_its_lifetime_also_when_remembered(keys: KeyRing) -> None:
    verifier = Verifier(keys)
    token = Issuer(keys).issue("asha", now=NOW, lifetime_s=900)
    assert verifier.verify(token, NOW + timedelta(seconds=899.9)).user_id == "asha"
    for checked_by in (verifier, Verifier(keys)):
        with pytest.raises(errors.TokenExpired):
            checked_by.verify(token, NOW + timedelta(seconds=900))


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_from_the_future_is_refused_beyond_the_skew(keys: KeyRing, claim: str) -> None:
    allowed = int(NOW.timestamp()) + CLOCK_SKEW_S
    within, beyond = (forged(keys, None, **dict[str, Any]({claim: at})) for at in (allowed, allowed + 1))
    assert Verifier(keys).verify(within, NOW).user_id == "asha"
    with pytest.raises(errors.TokenNotYetValid):
        Verifier(keys).verify(beyond, NOW)


def test_a_refused_token_is_not_remembered_as_good(keys: KeyRing) -> None:
    verifier = Verifier(keys)
    for _ in range(2):
        with pytest.raises(errors.TokenAudienceWrong):
            verifier.verify(forged(keys, aud="mail"), NOW)


def test_a_remembered_token_is_not_checked_again_until_it_is_pushed_out(
    keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[bytes] = []
    real = Verifier._check

    def counting(self: Verifier, raw: bytes, now_s: float) -> Principal:
        checks.append(raw)
        return real(self, raw, now_s)

    monkeypatch.setattr(Verifier, "_check", counting)
    verifier = Verifier(keys, remembered_max=2)
    first, second, third = (Issuer(keys).issue(name, now=NOW, lifetime_s=900) for name in "abc")
    for token in (first, second, first, third, first, second):
        verifier.verify(token, NOW)
    assert [token.decode() for token in checks] == [first, second, third, second]


def test_tokens_of_a_rotated_key_stay_valid(keys: KeyRing, tmp_path: Path) -> None:
    token = Issuer(keys).issue("asha", now=NOW, lifetime_s=900)
    assert Verifier(rotate(tmp_path / "keys")).verify(token, NOW).user_id == "asha"


def test_no_refusal_repeats_the_token(keys: KeyRing) -> None:
    secret = "s3cr3t"
    attempts = [forged(keys, aud=secret), forged(keys, iss=secret), forged(keys, {"kid": secret}), f"{secret}.b.c"]
    for token in attempts:
        with pytest.raises(errors.TokenRefused) as refused:
            Verifier(keys).verify(token, NOW)
        assert secret not in str(refused.value)
        assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("lifetime_s", [0, -1, LIFETIME_S_MAX + 1])
def test_lifetimes_have_limits(keys: KeyRing, lifetime_s: int) -> None:
    with pytest.raises(errors.InputRefused) as refused:
        Issuer(keys).issue("asha", now=NOW, lifetime_s=lifetime_s)
    assert refused.value.field == "lifetime_s"


def test_no_token_for_an_impossible_user(keys: KeyRing) -> None:
    with pytest.raises(errors.InputRefused):
        Issuer(keys).issue("main/asha", now=NOW, lifetime_s=900)
