"""Who the user is to the engine: home currency, zone, round-up settings, auto-saving."""

from datetime import date, datetime, timedelta

from msgspec import UNSET, Struct, field, structs

from engine import money, periods
from engine.behaviour import Context, invalid
from engine.commands import AutoSaving, OpenUser, Plan, RefundPolicy, Rounding, RoundingPatch, UpdateProfile
from engine.commands.types import TenantMode
from engine.events import ProfileUpdated, UserOpened
from engine.payments.roundups import check_rounding

NOTIFICATIONS_MAX = 100


class Profile(Struct, kw_only=True):
    """The settings as they stand; a change acts on later events only."""

    tenant_mode: TenantMode = "sandbox"
    currency: str = "INR"
    time_zone: str = "Asia/Kolkata"
    name: str | None = None
    phone: str | None = None
    rounding: Rounding = field(default_factory=Rounding)
    auto_saving: AutoSaving = field(default_factory=lambda: AutoSaving(state="off"))
    zone_before: str | None = None
    zone_from: datetime | None = None
    """Until this instant dates are still those of `zone_before`."""
    last_day: date | None = None
    """The last date in `zone_before`: no earlier one comes after it, so that moving west lives no day twice."""
    saving_since: datetime | None = None
    """When auto-saving was last turned on: spends from before it are `historical`."""
    refund_policy: RefundPolicy = "reverse"
    plan: Plan = field(default_factory=Plan)
    notifications: dict[str, bool] = field(default_factory=dict)
    sweep_threshold: int | None = None
    """What must have accrued to be settled at once; None: the currency's default."""

    def today(self, at: datetime) -> date:
        """Return the user's local date at an instant; it never goes back."""
        if self.zone_before is None:
            day = at.astimezone(periods.zone(self.time_zone)).date()
        else:
            day = periods.local_date(at, self.zone_at(at))
        if self.last_day is not None and self.zone_from is not None and at >= self.zone_from:
            return max(day, self.last_day)
        return day

    def zone_at(self, at: datetime) -> str:
        """Return the zone whose dates count at an instant: a changed one acts from the next local midnight."""
        if self.zone_before is not None and self.zone_from is not None and at < self.zone_from:
            return self.zone_before
        return self.time_zone

    def saving_state(self, today: date) -> str:
        """Return `on`, `paused` or `off` on a local date; a pause ends by itself after `until`."""
        auto = self.auto_saving
        if auto.state == "paused" and auto.until is not None and today > auto.until:
            return "on"
        return auto.state


def check_currency(name: str, currency: str) -> None:
    """Refuse a code that ISO 4217 does not list."""
    if not money.known(currency):
        raise invalid(name, currency_hint(currency))


def currency_hint(currency: str) -> str:
    """Return what is wrong with a code that ISO 4217 does not list."""
    return f"{currency!r} is not an ISO 4217 currency code such as INR, USD or JPY"


def check_zone(name: str) -> None:
    """Refuse a name that the IANA database does not list."""
    try:
        periods.zone(name)
    except ValueError as error:
        raise invalid("time_zone", str(error)) from None


def open_user(command: OpenUser, context: Context) -> UserOpened:
    """Decide the opening of an actor: settings, and the default jar that takes what no other does."""
    check_currency("currency", command.currency)
    check_zone(command.time_zone)
    return UserOpened(
        at=context.at,
        currency=command.currency,
        time_zone=command.time_zone,
        default_jar_id=context.new_id(),
        name=command.name,
        phone=command.phone,
        auto_saving=AutoSaving(state=command.auto_saving),
        tenant_mode=command.tenant_mode,
    )


def update(
    profile: Profile, command: UpdateProfile, context: Context, *, has_postings: bool, has_limits: bool
) -> ProfileUpdated:
    """Decide a change of settings; the home currency can change only while no amount in it is known."""
    currency = command.currency if command.currency is not UNSET else profile.currency
    check_currency("currency", currency)
    rounding = profile.rounding
    if currency != profile.currency:
        _check_free(profile, has_postings=has_postings, has_limits=has_limits)
        rounding = structs.replace(rounding, unit=None, floor=None, event_cap=None, daily_cap=None)
    zone_name = command.time_zone if command.time_zone is not UNSET else profile.time_zone
    check_zone(zone_name)
    if command.rounding is not UNSET:
        rounding = _patched(rounding, command.rounding)
    check_rounding(rounding, currency)
    notifications = profile.notifications
    if command.notifications is not UNSET:
        notifications = {**notifications, **command.notifications}
        if len(notifications) > NOTIFICATIONS_MAX:
            raise invalid("notifications", f"has {len(notifications)} names; at most {NOTIFICATIONS_MAX} are kept")
    auto = command.auto_saving if command.auto_saving is not UNSET else profile.auto_saving
    if auto.until is not None and auto.state != "paused":
        raise invalid("auto_saving.until", "only goes with state paused; leave it out or pause")
    if command.auto_saving is not UNSET and auto.until and auto.until < profile.today(context.at):
        raise invalid("auto_saving.until", f"{auto.until} is past; give a date from today on, or turn saving on")
    zone_from = _next_midnight(profile, context.at) if has_postings and zone_name != profile.time_zone else None
    last_day = profile.today(context.at) if zone_from is not None else None
    return ProfileUpdated(
        at=context.at,
        name=command.name if command.name is not UNSET else profile.name,
        phone=command.phone if command.phone is not UNSET else profile.phone,
        currency=currency,
        time_zone=zone_name,
        rounding=rounding,
        auto_saving=auto,
        refund_policy=command.refund_policy if command.refund_policy is not UNSET else profile.refund_policy,
        plan=command.plan if command.plan is not UNSET else profile.plan,
        notifications=notifications,
        sweep_threshold=_threshold(profile, command, currency),
        zone_from=zone_from,
        last_day=last_day,
        skipped=_skipped(last_day, zone_from, zone_name),
    )


def _threshold(profile: Profile, command: UpdateProfile, currency: str) -> int | None:
    if command.sweep_threshold is not UNSET:
        return command.sweep_threshold
    return profile.sweep_threshold if currency == profile.currency else None


def _check_free(profile: Profile, *, has_postings: bool, has_limits: bool) -> None:
    if has_postings:
        raise invalid("currency", f"is {profile.currency} and cannot change once money has moved; open a new user")
    if has_limits or profile.plan.amount is not None:
        raise invalid(
            "currency",
            f"is {profile.currency} in budgets, schedules, targets, the plan, a mandate, a challenge or a group; "
            "remove them first",
        )


def _skipped(last_day: date | None, zone_from: datetime | None, zone_name: str) -> list[date]:
    """Return the dates that are nowhere in the person's life: moving east over the date line."""
    if last_day is None or zone_from is None:
        return []
    missing = (periods.local_date(zone_from, zone_name) - last_day).days - 1
    return [last_day + timedelta(days=number) for number in range(1, missing + 1)]


def _next_midnight(profile: Profile, at: datetime) -> datetime:
    return periods.local_midnight(profile.today(at) + timedelta(days=1), profile.zone_at(at))


def _patched(rounding: Rounding, patch: RoundingPatch) -> Rounding:
    changes = {name: value for name, value in structs.asdict(patch).items() if value is not UNSET}
    return structs.replace(rounding, **changes)


def opened(profile: Profile, event: UserOpened) -> None:
    """Take over the settings an actor was opened with."""
    profile.tenant_mode = event.tenant_mode
    profile.currency, profile.time_zone = event.currency, event.time_zone
    profile.name, profile.phone = event.name, event.phone
    _switch(profile, event.auto_saving, event.at)


def updated(profile: Profile, event: ProfileUpdated) -> None:
    """Take over changed settings."""
    profile.name, profile.phone = event.name, event.phone
    if event.time_zone != profile.time_zone:
        profile.zone_before, profile.zone_from = profile.zone_at(event.at), event.zone_from
        profile.last_day = event.last_day
    profile.currency, profile.time_zone = event.currency, event.time_zone
    profile.rounding, profile.refund_policy = event.rounding, event.refund_policy
    profile.plan, profile.notifications = event.plan, event.notifications
    profile.sweep_threshold = event.sweep_threshold
    _switch(profile, event.auto_saving, event.at)


def _switch(profile: Profile, auto: AutoSaving, at: datetime) -> None:
    if auto.state == "off":
        profile.saving_since = None
    elif profile.saving_since is None:
        profile.saving_since = at
    profile.auto_saving = auto
