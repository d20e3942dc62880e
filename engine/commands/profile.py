"""Commands on the actor itself and its settings."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.commands.types import (
    Amount,
    AutoSaving,
    AutoSavingState,
    Currency,
    ExactMultiple,
    Name,
    Plan,
    PositiveAmount,
    RefundPolicy,
    ShortText,
    Slug,
    TenantMode,
)


class RoundingPatch(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of round-up settings; an absent field stays, null brings back the currency's default."""

    unit: PositiveAmount | None | UnsetType = UNSET
    multiplier: Annotated[int, Meta(ge=1, le=10)] | UnsetType = UNSET
    exact_multiple: ExactMultiple | UnsetType = UNSET
    round_up_p2p: bool | UnsetType = UNSET
    floor: Amount | None | UnsetType = UNSET
    event_cap: PositiveAmount | None | UnsetType = UNSET
    daily_cap: PositiveAmount | None | UnsetType = UNSET


class OpenUser(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="open_user"):
    """Open the actor: at sign-up with the person's choices, else with the tenant's defaults."""

    currency: Currency = "INR"
    time_zone: str = "Asia/Kolkata"
    name: Name | None = None
    phone: ShortText | None = None
    auto_saving: AutoSavingState = "off"
    tenant_mode: TenantMode = "sandbox"
    """In a `live` tenant what a person reports moves no settled money."""


class ProfileChanges(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Change settings; an absent field stays. A changed setting acts on later events only."""

    name: Name | UnsetType = UNSET
    phone: ShortText | None | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    rounding: RoundingPatch | UnsetType = UNSET
    auto_saving: AutoSaving | UnsetType = UNSET
    refund_policy: RefundPolicy | UnsetType = UNSET
    monthly_budget: Amount | None | UnsetType = UNSET
    plan: Plan | UnsetType = UNSET
    notifications: dict[Slug, bool] | UnsetType = UNSET
    sweep_threshold: PositiveAmount | None | UnsetType = UNSET
    """What must have accrued to be settled at once; null brings back the currency's default."""


class UpdateProfile(ProfileChanges, frozen=True, kw_only=True, omit_defaults=True, tag="update_profile"):
    """Change settings."""


class RaiseCaps(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="raise_caps"):
    """Change settings although a cap of them is above the present one: the action of a challenge."""

    changes: UpdateProfile
    currency: Currency
    """The home currency that the person saw when asking."""
