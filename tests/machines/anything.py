"""Any value of a type the wire accepts: commands and queries made from their declarations, ids from what was seen.

A feature that adds a command is driven by the machines without a line here; a rule set of its own (`tests/machines/`)
makes the long stories that chance would not find.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from msgspec import inspect

CURRENCIES = ["INR"] * 9 + ["USD"]
ZONES = ["Asia/Kolkata", "America/New_York", "Pacific/Kiritimati", "Mars/Base"]
WORDS: dict[str, list[Any]] = {
    "currency": CURRENCIES,
    "time_zone": ZONES,
    "category": ["food", "food", "travel", "overall", "chai", "leisure"],
    "parent": ["food", "chai", "nowhere"],
    "slug": ["chai", "tapri", "food"],
    "source": ["upi", "upi", "bank"],
    "origin": ["user", "user", "service:bank"],
    "code": ["100001", "100002", "100003", "999999"],
    "mcc": ["5411", "7011", "5541"],
    "action": ["withdraw", "unlock_jar", "update_profile"],
    "image_url": ["https://example.org/jar.png"],
    "rrule": ["FREQ=MONTHLY", "FREQ=WEEKLY;BYDAY=MO", "FREQ=NEVER"],
    "proof": ["0a1b"],
    "reference": ["123456789012", "123456789013"],
}
SMALL_MAX = 30_000
KNOWN_MAX = 12


class Seen:
    """Ids that events and answers have shown, by the name of their field; the newest are the likeliest."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)

    def note(self, value: Any, name: str = "") -> None:
        """Remember every id in a tree of plain values."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self.note(inner, str(key))
        elif isinstance(value, list):
            for inner in value:
                self.note(inner, name)
        elif isinstance(value, str) and (name.endswith(("_id", "_ids")) or name in {"code", "cursor"}):
            known = self._by_name[name.removesuffix("s")]
            if value not in known:
                known.append(value)
                del known[:-KNOWN_MAX]

    def like(self, name: str) -> list[str]:
        """Return the ids a field of this name may mean: of its own name, else of the noun it ends in."""
        if name in self._by_name:
            return self._by_name[name]
        nouns = [part for part in name.replace("_id", "").split("_") if part not in {"to", "from", "of", "move"}]
        kinds = {"refund": "transaction_id", "move_to": "jar_id", "refund_of": "transaction_id", "to": "jar_id"}
        wanted = kinds.get(name) or kinds.get("".join(nouns[:1])) or f"{''.join(nouns[-1:]) or 'jar'}_id"
        return self._by_name.get(wanted, [])


class Anything:
    """Draws values; `at` is the time around which dates fall."""

    def __init__(self, random: Random, seen: Seen, at: datetime) -> None:
        self._random = random
        self._seen = seen
        self._at = at

    def one_of(self, kinds: Iterable[type]) -> Any:
        """Return a value of one of the structs."""
        return self.struct(inspect.type_info(self._random.choice(list(kinds))))

    def of(self, kind: type, **given: Any) -> Any:
        """Return a value of a struct, with some fields given."""
        return self.struct(inspect.type_info(kind), **given)

    def struct(self, info: Any, **given: Any) -> Any:
        """Return a value of a struct; what may be left out mostly is."""
        optional = [field.name for field in info.fields if not field.required]
        chosen = set(self._random.sample(optional, min(len(optional), self._random.choice([0, 1, 1, 1, 2, 3]))))
        for field in info.fields:
            if field.name not in given and (field.required or field.name in chosen):
                given[field.name] = self._value(field.type, field.name)
        return info.cls(**given)

    def _value(self, kind: Any, name: str) -> Any:
        random = self._random
        while isinstance(kind, inspect.Metadata):
            kind = kind.type
        match kind:
            case inspect.UnionType(types=types):
                return self._value(
                    random.choice([t for t in types if not isinstance(t, inspect.NoneType)] or types), name
                )
            case inspect.LiteralType(values=values):
                return random.choice(values)
            case inspect.BoolType():
                return random.random() < 0.5
            case inspect.IntType():
                return self._int(kind)
            case inspect.FloatType(ge=ge, le=le):
                return random.uniform(-1.0 if ge is None else ge, 1.0 if le is None else le)
            case inspect.StrType():
                return self._text(name, kind.max_length or 40, kind.pattern)
            case inspect.DateType():
                return self._day()
            case inspect.DateTimeType():
                return self._time()
            case inspect.NoneType():
                return None
            case _:
                return self._whole(kind, name)

    def _whole(self, kind: Any, name: str) -> Any:
        several = range(self._random.randint(0, 3))
        match kind:
            case inspect.StructType():
                return self.struct(kind)
            case inspect.ListType(item_type=item):
                return [self._value(item, name.removesuffix("s")) for _ in several]
            case inspect.VarTupleType(item_type=item):
                return tuple(self._value(item, name.removesuffix("s")) for _ in several)
            case inspect.DictType(key_type=key, value_type=value):
                return {self._value(key, "word"): self._value(value, "word") for _ in several}
            case inspect.BytesType() | inspect.RawType():
                return b""
            case inspect.AnyType():
                return "anything"
            case _:
                raise TypeError(f"{name} is a {kind}: teach `tests/machines/anything.py` to make one")

    def _int(self, kind: inspect.IntType) -> int:
        least = kind.ge if kind.ge is not None else -100
        most = kind.le if kind.le is not None else SMALL_MAX
        if self._random.random() < 0.02:
            return self._random.choice([least, most])
        return self._random.randint(least if least > -SMALL_MAX else -100, min(most, SMALL_MAX))

    def _text(self, name: str, length_max: int, pattern: str | None) -> str:
        random = self._random
        if name in WORDS:
            return str(random.choice(WORDS[name]))
        known = self._seen.like(name)
        if name.endswith("external_id") and random.random() < 0.5:
            known = [f"E{random.randint(1, 40)}"]
        likely = random.choice(known) if known and random.random() < 0.95 else ""
        text = "".join(random.choice("abcdefg") for _ in range(random.randint(1, min(length_max, 8))))
        for candidate in (likely or text, text, text[:4], text[:1], "1234", "123456", "12", "en"):
            if pattern is None or re.search(pattern, candidate):
                return candidate
        raise TypeError(f"{name} must match {pattern}: put some into WORDS of `tests/machines/anything.py`")

    def _day(self) -> date:
        return (self._at + timedelta(days=self._random.choice([-400, -3, 0, 1, 7, 30, 90, 2000]))).date()

    def _time(self) -> datetime:
        hours = self._random.choice([-2400, -100, -30, -1, 0, 0, 0, 1, 30, 900])
        return (self._at + timedelta(hours=hours)).astimezone(UTC)


def plain(value: Any) -> Any:
    """Return a struct as plain data: what `Seen.note` walks."""
    return msgspec.to_builtins(value)
