"""Round-ups: what a spend saves, or why it saves nothing. Rules and guards: docs/domain.md, "Round-ups"."""

from datetime import date, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from engine import money
from engine.behaviour import invalid
from engine.commands import Rounding
from engine.events import RoundUp, SkipReason
from engine.kinds import ROUND_UP_KINDS

HISTORICAL_AFTER = timedelta(hours=72)
CAP_DEFAULTS_MAX = 100
"""A cap goes to so many times its default; above the present one it takes the second factor."""
_LOW_VALUE = frozenset("BIF CLP COP GNF IDR IRR JPY KHR KRW LAK MMK PYG RWF UGX UZS VND XAF XOF XPF".split())
"""Currencies whose major unit buys next to nothing: their units may be ten times larger."""
_PRESETS_MAJOR = {"INR": (1, 10, 50, 100), "IDR": (1_000, 5_000, 10_000), "JPY": (10, 100, 500)}
_DEFAULT_UNIT_MAJOR = {"INR": 10, "IDR": 1_000, "JPY": 100}
_CAPS_MAJOR = {"INR": (500, 1_000), "IDR": (100_000, 200_000), "JPY": (1_000, 2_000)}
_OTHERS_MAJOR, _CAPS_OTHERS_MAJOR = (1, 2, 5, 10), (10, 20)


@lru_cache(maxsize=256)
def presets(currency: str) -> tuple[int, ...]:
    """Return the units a client should offer, in minor units."""
    return tuple(u * money.minor_per_major(currency) for u in _PRESETS_MAJOR.get(currency, _OTHERS_MAJOR))


@lru_cache(maxsize=256)
def default_unit(currency: str) -> int:
    """Return the unit of a user who chose none, in minor units."""
    return _DEFAULT_UNIT_MAJOR.get(currency, 1) * money.minor_per_major(currency)


@lru_cache(maxsize=256)
def default_caps(currency: str) -> tuple[int, int]:
    """Return the default caps (one event, one day) in minor units: the most a round-up may take unasked."""
    event, day = _CAPS_MAJOR.get(currency, _CAPS_OTHERS_MAJOR)
    scale = money.minor_per_major(currency)
    return event * scale, day * scale


def check_rounding(rounding: Rounding, currency: str) -> None:
    """Refuse a unit outside the currency's range, and caps beyond `CAP_DEFAULTS_MAX` times their defaults."""
    scale = money.minor_per_major(currency)
    highest = max((1_000 if currency in _LOW_VALUE else 100) * scale, *presets(currency))
    if rounding.unit is not None and not scale <= rounding.unit <= highest:
        hint = ", ".join(str(unit) for unit in presets(currency))
        raise invalid(
            "rounding.unit", f"{rounding.unit} is outside {scale}..{highest} for {currency}; usual are {hint}"
        )
    for name, value, highest in zip(
        ("event_cap", "daily_cap"), (rounding.event_cap, rounding.daily_cap), default_caps(currency), strict=True
    ):
        if value is not None and value > highest * CAP_DEFAULTS_MAX:
            most = highest * CAP_DEFAULTS_MAX
            raise invalid(f"rounding.{name}", f"{value} is above {most}, {CAP_DEFAULTS_MAX} times the default")


def raises_caps(before: Rounding, after: Rounding, currency: str) -> bool:
    """Whether a cap after the change is above the one before it."""
    event_cap, daily_cap = default_caps(currency)
    return (after.event_cap or event_cap) > (before.event_cap or event_cap) or (after.daily_cap or daily_cap) > (
        before.daily_cap or daily_cap
    )


class Spend(Struct, frozen=True, gc=False):
    """What the rule needs to know of a spend. Amounts in minor units of the home currency."""

    amount: int
    kind: str
    direction: str
    occurred_at: datetime
    balance_after: int | None
    provenance: str
    """What is known to be left where the round-up is taken from."""


class Saver(Struct, frozen=True, gc=False):
    """What the rule needs to know of the person at the moment the spend arrives."""

    rounding: Rounding
    currency: str
    state: str
    saving_since: datetime | None
    saved_today: int
    at: datetime
    tenant_mode: str


def base_of(amount: int, unit: int, exact_multiple: str) -> int:
    """Return `(-amount) mod unit`; a whole unit for an exact multiple under `full_unit`."""
    base = -amount % unit
    return unit if base == 0 and exact_multiple == "full_unit" else base


def decide(spend: Spend, saver: Saver) -> RoundUp:
    """Return what is saved. A guard skips the whole round-up and names itself; it is never filled partly."""
    rounding, unit = saver.rounding, saver.rounding.unit or default_unit(saver.currency)
    reason = _guard_before(spend, saver)
    if reason is not None:
        return RoundUp("skipped", reason=reason)
    base = base_of(spend.amount, unit, rounding.exact_multiple) if spend.amount else 0
    if base == 0:
        return RoundUp("skipped", reason="exact_multiple")
    total = base * rounding.multiplier
    if rounding.floor is not None and spend.balance_after is not None and spend.balance_after - total < rounding.floor:
        return RoundUp("skipped", reason="floor")
    event_cap, daily_cap = default_caps(saver.currency)
    if total > (rounding.event_cap or event_cap) or saver.saved_today + total > (rounding.daily_cap or daily_cap):
        return RoundUp("skipped", reason="cap")
    return RoundUp("accrued", base, total - base, None, unit, rounding.exact_multiple == "full_unit")


def _guard_before(spend: Spend, saver: Saver) -> SkipReason | None:
    if spend.direction != "debit" or spend.kind not in ROUND_UP_KINDS:
        return "not_eligible"
    if spend.kind == "p2p" and not saver.rounding.round_up_p2p:
        return "not_eligible"
    if saver.tenant_mode == "live" and spend.provenance == "self_reported":
        return "self_reported"
    if saver.state == "off":
        return "off"
    if saver.state == "paused":
        return "paused"
    since = saver.saving_since
    if saver.at - spend.occurred_at > HISTORICAL_AFTER or (since is not None and spend.occurred_at < since):
        return "historical"
    return None


class SavedToday(Struct):
    """How much round-ups took on the newest local date they took anything: what the daily cap counts.

    A date before it (a zone further west, a clock set back) counts as the newest, so that no cap begins anew twice.
    """

    day: date | None = None
    amount: int = 0

    def on(self, day: date) -> int:
        """Return what was taken on a local date."""
        return self.amount if self.day is not None and day <= self.day else 0

    def add(self, day: date, amount: int) -> None:
        """Count a round-up taken on a local date; negative: given back."""
        self.amount = max(0, self.on(day) + amount)
        self.day = day if self.day is None else max(self.day, day)
