"""What happened to a user: the only thing the journal keeps, and all that a replay needs.

Names are in the past tense. A field added later takes a default; a changed meaning takes a new event type. Every event
that moves money carries `postings` that sum to zero per currency (`engine.ledger`). Amounts in minor units.
"""

from engine.events.accounts import AccountCreated, AccountDescription, AccountEdited, AccountRemoved, Statement
from engine.events.alerts import AlertRaised, AlertType, Severity
from engine.events.autopay import (
    DebitPutOff,
    DebitSubmitted,
    Mandate,
    MandateEnded,
    MandateSet,
)
from engine.events.badges import BadgeEarned
from engine.events.budgets import BudgetDeleted, BudgetSet
from engine.events.categories import CategoryCreated, CategoryEdited
from engine.events.challenges import ChallengeIssued, ChallengeSpent, ChallengeTried
from engine.events.groups import GroupsEvent
from engine.events.jars import (
    AllocationSet,
    JarCreated,
    JarDeleted,
    JarDeposited,
    JarDescription,
    JarEdited,
    JarLocked,
    JarOpened,
    JarTransferred,
    JarUnlockCancelled,
    JarUnlockStarted,
)
from engine.events.pairs import PairJudged
from engine.events.profile import ProfileUpdated, UserOpened
from engine.events.recurring import (
    Due,
    RecurringCreated,
    RecurringDeleted,
    RecurringEdited,
    RecurringMatched,
    RecurringMissed,
    RecurringUnlinked,
)
from engine.events.saving_challenges import SavingChallengesEvent
from engine.events.settlement import (
    IncomeAwaited,
    Instruction,
    InstructionClosed,
    InstructionIssued,
    InstructionStatus,
    InstructionType,
    SavingsNetted,
    SweepPlanned,
    SweepReason,
    SweepsResumed,
)
from engine.events.summaries import SummaryMade, SummaryPlanned
from engine.events.timers import TimerCancelled, TimerSet
from engine.events.transactions import (
    RoundUp,
    SkipReason,
    TransactionChanged,
    TransactionEdited,
    TransactionRecorded,
    TransactionRefunded,
)
from engine.events.types import Counted, DatedAmount, Hold, JarShare, PairType, Posting, Suggestion

Event = (
    UserOpened
    | ProfileUpdated
    | TransactionRecorded
    | TransactionChanged
    | TransactionEdited
    | TransactionRefunded
    | JarCreated
    | JarEdited
    | JarDeleted
    | JarDeposited
    | AllocationSet
    | BadgeEarned
    | JarLocked
    | JarOpened
    | JarTransferred
    | JarUnlockCancelled
    | JarUnlockStarted
    | BudgetSet
    | BudgetDeleted
    | CategoryCreated
    | CategoryEdited
    | RecurringCreated
    | RecurringDeleted
    | RecurringEdited
    | RecurringMatched
    | RecurringMissed
    | RecurringUnlinked
    | SummaryMade
    | SummaryPlanned
    | AlertRaised
    | TimerSet
    | TimerCancelled
    | ChallengeIssued
    | ChallengeTried
    | ChallengeSpent
    | PairJudged
    | AccountCreated
    | AccountEdited
    | AccountRemoved
    | GroupsEvent
    | InstructionClosed
    | InstructionIssued
    | SweepPlanned
    | SweepsResumed
    | IncomeAwaited
    | MandateSet
    | MandateEnded
    | DebitSubmitted
    | DebitPutOff
    | SavingChallengesEvent
    | SavingsNetted
)


__all__ = [
    "AccountCreated",
    "AccountDescription",
    "AccountEdited",
    "AccountRemoved",
    "AlertRaised",
    "AlertType",
    "AllocationSet",
    "BadgeEarned",
    "BudgetDeleted",
    "BudgetSet",
    "CategoryCreated",
    "CategoryEdited",
    "ChallengeIssued",
    "ChallengeSpent",
    "ChallengeTried",
    "Counted",
    "DatedAmount",
    "DebitPutOff",
    "DebitSubmitted",
    "Due",
    "Event",
    "Hold",
    "IncomeAwaited",
    "Instruction",
    "InstructionClosed",
    "InstructionIssued",
    "InstructionStatus",
    "InstructionType",
    "JarCreated",
    "JarDeleted",
    "JarDeposited",
    "JarDescription",
    "JarEdited",
    "JarLocked",
    "JarOpened",
    "JarShare",
    "JarTransferred",
    "JarUnlockCancelled",
    "JarUnlockStarted",
    "Mandate",
    "MandateEnded",
    "MandateSet",
    "PairJudged",
    "PairType",
    "Posting",
    "ProfileUpdated",
    "RecurringCreated",
    "RecurringDeleted",
    "RecurringEdited",
    "RecurringMatched",
    "RecurringMissed",
    "RecurringUnlinked",
    "RoundUp",
    "SavingsNetted",
    "Severity",
    "SkipReason",
    "Statement",
    "Suggestion",
    "SummaryMade",
    "SummaryPlanned",
    "SweepPlanned",
    "SweepReason",
    "SweepsResumed",
    "TimerCancelled",
    "TimerSet",
    "TransactionChanged",
    "TransactionEdited",
    "TransactionRecorded",
    "TransactionRefunded",
    "UserOpened",
]
