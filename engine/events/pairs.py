"""Events of reports that belong together."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from engine.events.types import PairType


class PairJudged(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="pair_judged"):
    """Two reports are one transfer, or one payment; or they are not, which is remembered."""

    type: PairType
    transaction_id: str
    other_id: str
    at: datetime
    accepted: bool
    by: Literal["rule", "user"]
