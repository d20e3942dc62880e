"""The whole state of one user's actor: the slices of its features, side by side."""

from msgspec import Struct, field

from engine.accounts.accounts import Account
from engine.accounts.pairs import Pairs
from engine.alerts import AlertBook
from engine.challenge_book import ChallengeBook
from engine.events import Hold
from engine.group_book import GroupBook
from engine.jars.allocation import Allocation
from engine.jars.jars import Jar
from engine.ledger import Ledger
from engine.payments.parked import Parked
from engine.payments.roundups import SavedToday
from engine.planning.budgets import Budget
from engine.planning.categories import Categories
from engine.planning.recurring import Recurring
from engine.planning.saved_weeks import Summaries
from engine.planning.spending import Spending
from engine.profile import Profile
from engine.rewards.badges import BadgeBook
from engine.rewards.saving_book import SavingBook
from engine.rewards.streaks import Streak
from engine.settlement.settlement import Settlement

USER_STREAK = "user"


class UserState(Struct, kw_only=True):
    """What an activation holds in memory and a snapshot keeps. Changed by `evolve` alone."""

    user_id: str
    is_open: bool = False
    profile: Profile = field(default_factory=Profile)
    ledger: Ledger = field(default_factory=Ledger)
    jars: dict[str, Jar] = field(default_factory=dict)
    jar_order: list[str] = field(default_factory=list)
    default_jar_id: str = ""
    budgets: dict[str, Budget] = field(default_factory=dict)
    categories: Categories = field(default_factory=Categories)
    recurring: dict[str, Recurring] = field(default_factory=dict)
    summaries: Summaries = field(default_factory=Summaries)
    spending: Spending = field(default_factory=Spending)
    saved_today: SavedToday = field(default_factory=SavedToday)
    streaks: dict[str, Streak] = field(default_factory=dict)
    """By jar id for jars with a plan, and `user` for the person's own plan."""
    alerts: AlertBook = field(default_factory=AlertBook)
    transactions: int = 0
    parked: Parked = field(default_factory=Parked)
    challenges: ChallengeBook = field(default_factory=ChallengeBook)
    allocation: Allocation = field(default_factory=Allocation)
    badges: BadgeBook = field(default_factory=BadgeBook)
    accounts: dict[str, Account] = field(default_factory=dict)
    pairs: Pairs = field(default_factory=Pairs)
    groups: GroupBook = field(default_factory=GroupBook)
    settlement: Settlement = field(default_factory=Settlement)
    holds: dict[str, Hold] = field(default_factory=dict)
    """Open authorisations by transaction id, at most `engine.payments.holds.HOLDS_MAX`."""
    saving: SavingBook = field(default_factory=SavingBook)
