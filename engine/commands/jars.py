"""Commands on jars."""

from datetime import date
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.commands.types import TEXT_END, Name, Plan, PositiveAmount

ImageUrl = Annotated[str, Meta(max_length=2048, pattern=r"^https?://[^\s\x00-\x1f]+" + TEXT_END)]

LockEnd = Annotated[str, Meta(max_length=40, description="a time with an offset, or a date")]


class JarFields(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A new jar; `priority` orders who receives round-ups first (lower first, ties by creation)."""

    name: Name
    target_amount: PositiveAmount | None = None
    deadline: date | None = None
    image_url: ImageUrl | None = None
    priority: Annotated[int, Meta(ge=1, le=1000)] = 100
    cap_at_target: bool = False
    plan: Plan | None = None


class CreateJar(JarFields, frozen=True, kw_only=True, omit_defaults=True, tag="create_jar"):
    """Make a jar."""


class JarChanges(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of a jar's description; an absent field stays, null clears it."""

    name: Name | UnsetType = UNSET
    target_amount: PositiveAmount | None | UnsetType = UNSET
    deadline: date | None | UnsetType = UNSET
    image_url: ImageUrl | None | UnsetType = UNSET
    priority: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    cap_at_target: bool | UnsetType = UNSET
    plan: Plan | None | UnsetType = UNSET


class EditJar(JarChanges, frozen=True, kw_only=True, omit_defaults=True, tag="edit_jar"):
    """Change a jar."""

    jar_id: str


class DeleteJar(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="delete_jar"):
    """Delete a jar; one that holds money only with `move_to`, the jar that takes it."""

    jar_id: str
    move_to: str | None = None


class DepositToJar(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="deposit_to_jar"):
    """Put `amount` (minor units of the home currency) into a jar by hand."""

    jar_id: str
    amount: PositiveAmount


class TransferToJar(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="transfer_to_jar"):
    """Move `amount` from one of one's own jars to another."""

    jar_id: str
    to_jar: str
    amount: PositiveAmount


class LockJar(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="lock_jar"):
    """Lock a jar, or extend its lock: `until` is a time with an offset, or a local date, on which it is open again."""

    jar_id: str
    until: LockEnd


class AskUnlock(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="ask_unlock"):
    """Ask for the code of an emergency unlock."""

    jar_id: str


class UnlockJar(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="unlock_jar"):
    """Let a locked jar open in 24 hours: the action of a challenge."""

    jar_id: str
    lock_round: int = 0


class CancelUnlock(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="cancel_unlock"):
    """Keep the jar locked after all; codes that were sent before are worth nothing."""

    jar_id: str


class EndLock(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="end_lock"):
    """A timer's: a lock may be over; tell so."""

    jar_id: str


class CheckGoal(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="check_goal"):
    """A timer's: see how a jar stands to its goal, and tell when it is behind or has missed it."""

    jar_id: str


AllocationMode = Literal["priority", "percent", "deadline"]


class AllocationPart(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One jar's part of what is saved: a whole `percent`, or a `priority`, as the mode asks."""

    jar_id: str
    percent: Annotated[int, Meta(ge=1, le=100)] | None = None
    priority: Annotated[int, Meta(ge=1, le=1000)] | None = None


class AllocationFields(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Say how savings are shared: all percents at once (100 in sum), priorities, or by target and deadline."""

    mode: AllocationMode
    shares: Annotated[list[AllocationPart], Meta(max_length=100)] = []


class SetAllocation(AllocationFields, frozen=True, kw_only=True, omit_defaults=True, tag="set_allocation"):
    """Share savings otherwise."""
