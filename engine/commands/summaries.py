"""Commands on weekly summaries."""

from msgspec import Struct


class MakeSummary(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="make_summary"):
    """A timer's: sum up the week that is over."""
