"""What a user's actor can be asked to do.

Every command is a tagged struct. Encoded with `omit_defaults`, an explicit default and an absent field are the same
bytes, so the hash of a command (idempotency) survives a release that adds a field. Amounts are integers in minor units
of the `currency` beside them; times carry an offset.
"""

from engine.commands.accounts import (
    AccountChanges,
    AccountFields,
    AccountType,
    CreateAccount,
    EditAccount,
    RemoveAccount,
)
from engine.commands.autopay import (
    ApplyMandate,
    EndMandate,
    ExecuteDebit,
    MandateFields,
    OptOut,
    SetMandate,
)
from engine.commands.budgets import DeleteBudget, SetBudget
from engine.commands.categories import CategoryChanges, CategoryFields, CreateCategory, EditCategory
from engine.commands.challenges import Confirm
from engine.commands.groups import GroupsCommand
from engine.commands.jars import (
    AllocationFields,
    AllocationMode,
    AllocationPart,
    AskUnlock,
    CancelUnlock,
    CheckGoal,
    CreateJar,
    DeleteJar,
    DepositToJar,
    EditJar,
    EndLock,
    JarChanges,
    JarFields,
    LockEnd,
    LockJar,
    SetAllocation,
    TransferToJar,
    UnlockJar,
)
from engine.commands.pairs import ApplyRate, MatchTransfer, MergeDuplicate, RejectDuplicate, RejectTransfer
from engine.commands.profile import OpenUser, ProfileChanges, RaiseCaps, RoundingPatch, UpdateProfile
from engine.commands.recurring import (
    CheckRecurring,
    CreateRecurring,
    DeleteRecurring,
    EditRecurring,
    RecurringChanges,
    RecurringFields,
    RemindRecurring,
    UnlinkRecurring,
)
from engine.commands.saving_challenges import SavingChallengesCommand
from engine.commands.settlement import (
    ReportResult,
    RequestWithdrawal,
    SweepDue,
    SweepNow,
    Withdraw,
)
from engine.commands.summaries import MakeSummary
from engine.commands.transactions import (
    DeleteTransaction,
    EditTransaction,
    ExpireAuthorisation,
    ExpireRefund,
    RecordTransaction,
    TransactionChanges,
    TransactionFields,
    UndoRefund,
)
from engine.commands.types import (
    AMOUNT_MAX,
    Amount,
    AutoSaving,
    AutoSavingState,
    Balance,
    BudgetPeriod,
    Currency,
    Direction,
    ExactMultiple,
    ExternalId,
    Foreign,
    Kind,
    Location,
    Mcc,
    Name,
    Plan,
    PlanPeriod,
    PositiveAmount,
    Provenance,
    RefundPolicy,
    Rollover,
    Rounding,
    ShortText,
    Slug,
    Source,
    Status,
    Text,
)

Command = (
    OpenUser
    | UpdateProfile
    | RecordTransaction
    | EditTransaction
    | DeleteTransaction
    | ExpireAuthorisation
    | ExpireRefund
    | UndoRefund
    | CreateJar
    | EditJar
    | DeleteJar
    | DepositToJar
    | SetAllocation
    | AskUnlock
    | CancelUnlock
    | CheckGoal
    | EndLock
    | LockJar
    | TransferToJar
    | UnlockJar
    | SetBudget
    | DeleteBudget
    | CreateCategory
    | EditCategory
    | CheckRecurring
    | MakeSummary
    | CreateRecurring
    | DeleteRecurring
    | EditRecurring
    | RemindRecurring
    | UnlinkRecurring
    | Confirm
    | RaiseCaps
    | MatchTransfer
    | RejectTransfer
    | MergeDuplicate
    | RejectDuplicate
    | ApplyRate
    | CreateAccount
    | EditAccount
    | RemoveAccount
    | GroupsCommand
    | RequestWithdrawal
    | Withdraw
    | ReportResult
    | SweepNow
    | SweepDue
    | SetMandate
    | ApplyMandate
    | EndMandate
    | ExecuteDebit
    | OptOut
    | SavingChallengesCommand
)


__all__ = [
    "AMOUNT_MAX",
    "AccountChanges",
    "AccountFields",
    "AccountType",
    "AllocationFields",
    "AllocationMode",
    "AllocationPart",
    "Amount",
    "ApplyMandate",
    "ApplyRate",
    "AskUnlock",
    "AutoSaving",
    "AutoSavingState",
    "Balance",
    "BudgetPeriod",
    "CancelUnlock",
    "CategoryChanges",
    "CategoryFields",
    "CheckGoal",
    "CheckRecurring",
    "Command",
    "Confirm",
    "CreateAccount",
    "CreateCategory",
    "CreateJar",
    "CreateRecurring",
    "Currency",
    "DeleteBudget",
    "DeleteJar",
    "DeleteRecurring",
    "DeleteTransaction",
    "DepositToJar",
    "Direction",
    "EditAccount",
    "EditCategory",
    "EditJar",
    "EditRecurring",
    "EditTransaction",
    "EndLock",
    "EndMandate",
    "ExactMultiple",
    "ExecuteDebit",
    "ExpireAuthorisation",
    "ExpireRefund",
    "ExternalId",
    "Foreign",
    "JarChanges",
    "JarFields",
    "Kind",
    "Location",
    "LockEnd",
    "LockJar",
    "MakeSummary",
    "MandateFields",
    "MatchTransfer",
    "Mcc",
    "MergeDuplicate",
    "Name",
    "OpenUser",
    "OptOut",
    "Plan",
    "PlanPeriod",
    "PositiveAmount",
    "ProfileChanges",
    "Provenance",
    "RaiseCaps",
    "RecordTransaction",
    "RecurringChanges",
    "RecurringFields",
    "RefundPolicy",
    "RejectDuplicate",
    "RejectTransfer",
    "RemindRecurring",
    "RemoveAccount",
    "ReportResult",
    "RequestWithdrawal",
    "Rollover",
    "Rounding",
    "RoundingPatch",
    "SetAllocation",
    "SetBudget",
    "SetMandate",
    "ShortText",
    "Slug",
    "Source",
    "Status",
    "SweepDue",
    "SweepNow",
    "Text",
    "TransactionChanges",
    "TransactionFields",
    "TransferToJar",
    "UndoRefund",
    "UnlinkRecurring",
    "UnlockJar",
    "UpdateProfile",
    "Withdraw",
]
