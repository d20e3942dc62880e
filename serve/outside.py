"""What stands behind `engine.outside.Outside`: codes from the system's randomness, digests under a key of the folder.

A digest of six digits is only as secret as its key: without one a million tries give every code. So the key is derived
from `DATA/keys` and never in Postgres, and where a request comes in its code is digested at once (`proof`).
"""

import hmac
import secrets
from pathlib import Path

import msgspec
from typing_extensions import override

from engine.outside import Nothing, Outside
from serve.auth import keys as signing
from serve.auth.keys import KeyRing
from serve.settings import RuntimeConfig

CODE_DIGITS = 6


def proof(keys: KeyRing, challenge_id: str, code: str) -> str:
    """Return the keyed digest of a code: 64 hexadecimal digits."""
    return hmac.digest(keys.derive("challenge-codes"), f"{challenge_id}:{code}".encode(), "sha256").hex()


class Secrets(Nothing):
    """Codes and digests of one data folder."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    @override
    def new_code(self) -> str:
        """Return six random digits."""
        return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"

    @override
    def digest(self, challenge_id: str, code: str) -> str:
        """Return `proof`."""
        return proof(self._keys, challenge_id, code)


def of_instance(told: bytes) -> Outside:
    """Return the outside of an instance from its `RuntimeConfig` as JSON: what a shard's host is told."""
    config = msgspec.json.decode(told, type=RuntimeConfig)
    return Secrets(signing.load_or_create(Path(config.data) / "keys"))
