"""Jars: where savings go. A jar's money is a balance of the ledger in stages; `balance` is their sum."""

from collections.abc import Iterable
from datetime import date, datetime

from msgspec import UNSET, Struct, structs

from engine.behaviour import Context, Refused, invalid
from engine.commands import CreateJar, DeleteJar, DepositToJar, EditJar, Plan
from engine.events import JarCreated, JarDeleted, JarDeposited, JarEdited, JarShare, Posting
from engine.ledger import PROMISED, Ledger, jar_account, transfer

DEFAULT_NAME = "Savings"
DEFAULT_PRIORITY = 1_000_000
JARS_MAX = 100
STAGES = ("provisional", "accrued", "scheduled", "settled", "reserved")
MILESTONES_PERCENT = (25, 50, 75)


class Jar(Struct, kw_only=True):
    """A jar's description; `saved` is its balance over all stages, kept beside the ledger for speed."""

    jar_id: str
    name: str
    created_at: datetime
    target_amount: int | None = None
    deadline: date | None = None
    image_url: str | None = None
    priority: int = DEFAULT_PRIORITY
    cap_at_target: bool = False
    plan: Plan | None = None
    is_default: bool = False
    saved: int = 0
    goal_since: date | None = None
    goal_from: int = 0
    """When the target or deadline was set, and what the jar held then: where a goal's straight line begins."""
    told_percent: int = 0
    """The highest milestone of this target that was told: each tells once, even when money leaves and comes back."""
    locked_until: datetime | None = None
    unlocks_at: datetime | None = None
    """When an emergency unlock that is under way opens the jar."""
    lock_round: int = 0
    """Counts locks and cancelled unlocks: a code that was asked for in an earlier round is worth nothing."""

    def locked_at(self, at: datetime) -> datetime | None:
        """Return when the lock that holds at an instant ends; None when the jar is open."""
        until = self.locked_until
        if until is None or at >= until or (self.unlocks_at is not None and at >= self.unlocks_at):
            return None
        return until

    @property
    def room(self) -> int | None:
        """How much more it takes: None without a limit. The default jar takes whatever no other does."""
        if self.is_default or not self.cap_at_target or self.target_amount is None:
            return None
        return max(0, self.target_amount - self.saved)


def order(jars: Iterable[Jar]) -> list[str]:
    """Return the ids in the order of allocation: priority, then creation, the default jar last."""
    ranked = sorted(jars, key=lambda jar: (jar.is_default, jar.priority, jar.created_at, jar.jar_id))
    return [jar.jar_id for jar in ranked]


def save_postings(shares: Iterable[JarShare], currency: str, stage: str = "accrued") -> list[Posting]:
    """Return the postings that promise money to jars."""
    postings: list[Posting] = []
    for part in shares:
        postings += transfer(jar_account(part.jar_id, stage), PROMISED, part.amount, currency)
    return postings


def find(jars: dict[str, Jar], jar_id: str) -> Jar:
    """Return a jar of this user; another's is as unknown as one that never was."""
    jar = jars.get(jar_id)
    if jar is None:
        raise Refused("not_found", f"there is no jar {jar_id!r}")
    return jar


def create(jars: dict[str, Jar], command: CreateJar, context: Context, today: date) -> JarCreated:
    """Decide a new jar."""
    if len(jars) >= JARS_MAX:
        raise Refused("conflict", f"a user has at most {JARS_MAX} jars; delete one first")
    _check(command.target_amount, command.deadline, command.cap_at_target, today, new_deadline=True)
    return JarCreated(
        jar_id=context.new_id(),
        at=context.at,
        name=command.name,
        target_amount=command.target_amount,
        deadline=command.deadline,
        image_url=command.image_url,
        priority=command.priority,
        cap_at_target=command.cap_at_target,
        plan=command.plan,
        goal_since=today if command.target_amount is not None else None,
    )


def edit(jars: dict[str, Jar], command: EditJar, context: Context, today: date) -> JarEdited:
    """Decide a change of a jar's description."""
    jar = find(jars, command.jar_id)
    changes = {
        name: value for name, value in structs.asdict(command).items() if value is not UNSET and name != "jar_id"
    }
    if jar.is_default and {"priority", "cap_at_target"} & changes.keys():
        raise Refused("conflict", "the default jar is always last and takes whatever no other does")
    described = {name: getattr(jar, name) for name in JarEdited.__struct_fields__ if name not in ("jar_id", "at")}
    target = changes.get("target_amount", jar.target_amount)
    moved = any(name in changes and changes[name] != described[name] for name in ("target_amount", "deadline"))
    if moved or (jar.goal_since is None and target is not None):
        described |= {"goal_since": today, "goal_from": jar.saved}
    event = JarEdited(jar_id=jar.jar_id, at=context.at, **{**described, **changes})
    _check(event.target_amount, event.deadline, event.cap_at_target, today, new_deadline="deadline" in changes)
    return event


def _check(target: int | None, deadline: date | None, cap: bool, today: date, *, new_deadline: bool) -> None:
    if new_deadline and deadline is not None and deadline <= today:
        raise invalid("deadline", f"{deadline} is not in the future; today is {today}")
    if cap and target is None:
        raise invalid("cap_at_target", "needs a target_amount to stop at")


def delete(jars: dict[str, Jar], ledger: Ledger, command: DeleteJar, context: Context, currency: str) -> JarDeleted:
    """Decide the end of a jar; what it holds moves to `move_to`, stage by stage."""
    jar = find(jars, command.jar_id)
    if jar.is_default:
        raise Refused("conflict", "the default jar cannot be deleted: it takes what no other jar does")
    if ledger.balance(jar_account(jar.jar_id, "reserved"), currency):
        raise Refused("conflict", "money of the jar is on its way out; delete the jar when it has arrived")
    if command.move_to is None:
        if jar.saved:
            raise Refused(
                "conflict", f"the jar holds {jar.saved}; name the jar that takes it in move_to", balance=jar.saved
            )
        return JarDeleted(jar_id=jar.jar_id, at=context.at)
    if command.move_to == jar.jar_id or command.move_to not in jars:
        raise invalid("move_to", f"{command.move_to!r} is not another of the user's jars")
    postings: list[Posting] = []
    for stage in STAGES:
        held = ledger.balance(jar_account(jar.jar_id, stage), currency)
        postings += transfer(jar_account(command.move_to, stage), jar_account(jar.jar_id, stage), held, currency)
    return JarDeleted(jar_id=jar.jar_id, at=context.at, move_to=command.move_to, postings=postings)


def deposit(jars: dict[str, Jar], command: DepositToJar, context: Context, today: date, currency: str) -> JarDeposited:
    """Decide a deposit by hand: promised to the jar at once, moved by the host when it settles."""
    jar = find(jars, command.jar_id)
    if jar.room is not None and command.amount > jar.room:
        raise Refused("conflict", f"the jar stops at its target and has room for {jar.room}", room=jar.room)
    return JarDeposited(
        deposit_id=context.new_id(),
        jar_id=jar.jar_id,
        at=context.at,
        local_date=today,
        amount=command.amount,
        postings=save_postings([JarShare(jar.jar_id, command.amount)], currency),
    )


def passed_marks(jar: Jar, amount: int) -> list[int]:
    """Return the percents of its target (milestones, and 100) that a jar passes for the first time with `amount`."""
    if not jar.target_amount:
        return []
    before, after = jar.saved * 100 // jar.target_amount, (jar.saved + amount) * 100 // jar.target_amount
    if before == after:
        return []
    told = max(before, jar.told_percent)
    return [mark for mark in (*MILESTONES_PERCENT, 100) if told < mark <= after]


def told(jar: Jar, percent: int) -> None:
    """Remember a milestone that was told."""
    jar.told_percent = max(jar.told_percent, percent)


def created(event: JarCreated) -> Jar:
    """Return the jar an event made."""
    values = {name: getattr(event, name) for name in JarCreated.__struct_fields__ if name != "at"}
    return Jar(created_at=event.at, **values)


def edited(jar: Jar, event: JarEdited) -> None:
    """Take over a changed description; another target is another way to go."""
    if event.target_amount != jar.target_amount:
        jar.told_percent = 0
    for name in JarEdited.__struct_fields__:
        if name not in ("jar_id", "at"):
            setattr(jar, name, getattr(event, name))
