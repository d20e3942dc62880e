"""Postgres arrays in their binary form, encoded here: psycopg's own list dumper costs more than the query at one row.

Each class is dumped as it is; the layout is that of `array_recv` (PostgreSQL, src/backend/utils/adt/arrayfuncs.c).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct, pack
from typing import ClassVar

from psycopg.abc import AdaptContext
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format
from typing_extensions import override

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EIGHT = Struct(">iq").pack
_LENGTH = Struct(">i").pack
_NULL = _LENGTH(-1)


class Array:
    """A one-dimensional array, ready to send."""

    __slots__ = ("encoded",)

    array_oid: ClassVar[int]
    element_oid: ClassVar[int]

    def __init__(self, elements: Sequence[bytes], *, nulls: bool = False) -> None:
        """Take encoded elements, each preceded by its length."""
        if elements:
            head = pack(">iiIii", 1, nulls, self.element_oid, len(elements), 1)
        else:
            head = pack(">iiI", 0, 0, self.element_oid)
        self.encoded = head + b"".join(elements)


class BigInts(Array):
    """bigint[]"""

    __slots__ = ()
    array_oid = 1016
    element_oid = 20

    def __init__(self, values: Sequence[int]) -> None:
        super().__init__([_EIGHT(8, value) for value in values])


class Texts(Array):
    """text[]; None is NULL"""

    __slots__ = ()
    array_oid = 1009
    element_oid = 25

    def __init__(self, values: Sequence[str | None]) -> None:
        encoded = [None if value is None else value.encode() for value in values]
        parts = [_NULL if value is None else _LENGTH(len(value)) + value for value in encoded]
        super().__init__(parts, nulls=None in values)


class Bytes(Array):
    """bytea[]"""

    __slots__ = ()
    array_oid = 1001
    element_oid = 17

    def __init__(self, values: Sequence[bytes]) -> None:
        super().__init__([_LENGTH(len(value)) + value for value in values])


class Times(Array):
    """timestamptz[]; every value carries an offset"""

    __slots__ = ()
    array_oid = 1185
    element_oid = 1184

    def __init__(self, values: Sequence[datetime]) -> None:
        super().__init__([_EIGHT(8, (value - _EPOCH) // _MICROSECOND) for value in values])


class _ArrayDumper(Dumper):
    format = Format.BINARY

    @override
    def dump(self, obj: Array) -> Buffer:
        return obj.encoded


def register(context: AdaptContext) -> None:
    """Teach a connection to send arrays."""
    for kind in (BigInts, Texts, Bytes, Times):
        dumper = type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"oid": kind.array_oid})
        context.adapters.register_dumper(kind, dumper)
