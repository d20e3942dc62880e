"""The settlement of one user: instructions that wait for the host, the last that ended, and when the next sweep is."""

from datetime import datetime

from msgspec import Struct, field, structs

from engine.events import Instruction, JarShare, Mandate

OPEN_DEBITS_MAX = 20
"""Debits that wait for the host at once; beyond, money goes on accruing."""
OPEN_PAYOUTS_MAX = 20
FINISHED_KEPT = 30
"""Ended instructions a state remembers: a report of an older one finds nothing."""
FAILURES_PAUSE = 2
"""Failed debits in a row that pause auto-saving."""
INCOMES_RESUME = 2
"""Incomes after which sweeps go on by themselves after a failure."""


class Settlement(Struct):
    """`debits` open ones sum up to `scheduled`; `planned` when what accrues is swept at the latest."""

    open: dict[str, Instruction] = field(default_factory=dict)
    finished: dict[str, Instruction] = field(default_factory=dict)
    debits: int = 0
    scheduled: int = 0
    planned: datetime | None = None
    failures: int = 0
    """Failed debits since the last that succeeded."""
    held: bool = False
    """A debit failed: no sweep until the user says so, or two incomes came."""
    incomes: int = 0
    mandate: Mandate | None = None
    """Under which debits are taken, one at a time; None: the host takes them by itself."""

    @property
    def payouts(self) -> int:
        """How many payouts wait for the host."""
        return len(self.open) - self.debits

    @property
    def takes_debit(self) -> bool:
        """Whether another debit may be asked for now: under a mandate there is one at a time."""
        return self.debits < (OPEN_DEBITS_MAX if self.mandate is None else 1)

    def find(self, instruction_id: str) -> Instruction | None:
        """Return an instruction that waits, or that ended not long ago."""
        return self.open.get(instruction_id) or self.finished.get(instruction_id)

    def finish(self, instruction: Instruction) -> None:
        """Keep an instruction that ended, and forget the oldest beyond `FINISHED_KEPT`."""
        del self.open[instruction.instruction_id]
        self.finished[instruction.instruction_id] = instruction
        while len(self.finished) > FINISHED_KEPT:
            del self.finished[next(iter(self.finished))]

    def moved(self, gone: str, to: str) -> None:
        """Let another jar stand for a deleted one in what waits for the host."""
        for one in list(self.open.values()):
            if any(part.jar_id == gone for part in one.parts):
                self.open[one.instruction_id] = structs.replace(one, parts=_renamed(one.parts, gone, to))


def _renamed(parts: list[JarShare], gone: str, to: str) -> list[JarShare]:
    amounts: dict[str, int] = {}
    for part in parts:
        name = to if part.jar_id == gone else part.jar_id
        amounts[name] = amounts.get(name, 0) + part.amount
    return [JarShare(jar_id, amount) for jar_id, amount in amounts.items()]
