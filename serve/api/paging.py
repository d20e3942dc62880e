"""Cursors of lists: opaque to a client, the key of the last row seen to us."""

import base64
import binascii
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from serve.problems import field_trouble


class PageQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None
    user_id: str | None = None


def encode_cursor(position: tuple[datetime, str]) -> str:
    """Return the opaque cursor of a row's key: where it stands in the order, and its id."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """Return the key a cursor stands for; refuse one that is none of ours."""
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        at, transaction_id = msgspec.msgpack.decode(raw, type=tuple[datetime, str])
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise field_trouble("cursor", "is not a cursor of this list; begin without one") from None
    if at.tzinfo is None or "\x00" in transaction_id:
        raise field_trouble("cursor", "is not a cursor of this list; begin without one")
    return at, transaction_id
