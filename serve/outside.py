"""What stands behind `engine.outside.Outside`: codes from the system's randomness, digests under a key of the folder.

A digest of six digits is only as secret as its key: without one a million tries give every code. So the key is derived
from `DATA/keys` and never in Postgres, and where a request comes in its code is digested at once (`proof`).
"""

import hmac
import secrets
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec
from typing_extensions import override

from actors.rates import RateTable
from adapters.calendars import recurrence
from engine.outside import Nothing, Outside, Rate
from serve.auth import keys as signing
from serve.auth.keys import KeyRing
from serve.settings import RuntimeConfig

CODE_DIGITS = 6


def proof(keys: KeyRing, challenge_id: str, code: str) -> str:
    """Return the keyed digest of a code: 64 hexadecimal digits."""
    return hmac.digest(keys.derive("challenge-codes"), f"{challenge_id}:{code}".encode(), "sha256").hex()


class Secrets(Nothing):
    """Codes and digests of one data folder, and the rates of its database where it has one."""

    def __init__(self, keys: KeyRing, rates: RateTable | None = None) -> None:
        self._keys = keys
        self._rates = rates

    @override
    def new_code(self) -> str:
        """Return six random digits."""
        return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"

    @override
    def digest(self, challenge_id: str, code: str) -> str:
        """Return `proof`."""
        return proof(self._keys, challenge_id, code)

    @override
    def rate(self, base: str, quote: str, day: date) -> Rate | None:
        """Return the last rate known on or before a day; None when there is none."""
        return None if self._rates is None else self._rates.rate(base, quote, day)

    @override
    def occurrences(self, rrule: str, starts_on: date, after: date, count: int) -> Sequence[date]:
        """Return `adapters.calendars.recurrence.occurrences`."""
        return recurrence.occurrences(rrule, starts_on, after, count)


def of_instance(told: bytes) -> Outside:
    """Return the outside of an instance from its `RuntimeConfig` as JSON: what a shard's host is told."""
    config = msgspec.json.decode(told, type=RuntimeConfig)
    rates = RateTable(config.postgres_url) if config.postgres_url else None
    if rates is not None:
        rates.follow()
    return Secrets(signing.load_or_create(Path(config.data) / "keys"), rates)
