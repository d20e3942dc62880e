"""One user's stream as a state machine without I/O: frames and the clock in, actions out. Times are monotonic seconds.

APART → REACHING → GREETING → ENTERING → (SETTLING →) OPEN; a reset leads back to SETTLING, a lost line to APART from
anywhere, `end` to ENDED. What it promises: the application is given turn after turn without a hole and each once, or a
snapshot with `reset` in the place of the hole.
"""

from enum import Enum
from random import Random
from typing import Any

from serve.client import errors, frames, retry
from serve.client.actions import Action, Answer, Deliver, Drop, Fail, Renew, Retry, Send
from serve.client.credentials import Credential
from serve.client.expenses import Expenses
from serve.client.frames import Names, Position, Snapshot, Turn
from serve.client.limits import Limits
from serve.client.retry import Pace, Verdict

NEVER = float("inf")
_RETRIED_STATUSES = frozenset({408, 425, 429})


class Phase(Enum):
    """Where the stream is; the value is what it waits for."""

    APART = "a new try"
    REACHING = "the line"
    GREETING = "hello"
    ENTERING = "ready"
    SETTLING = "a snapshot"
    OPEN = "turns"
    ENDED = "nothing"


_NEXT = {
    Phase.APART: {Phase.REACHING},
    Phase.REACHING: {Phase.GREETING, Phase.APART},
    Phase.GREETING: {Phase.ENTERING, Phase.APART},
    Phase.ENTERING: {Phase.SETTLING, Phase.OPEN, Phase.APART},
    Phase.SETTLING: {Phase.SETTLING, Phase.OPEN, Phase.APART},
    Phase.OPEN: {Phase.SETTLING, Phase.APART},
    Phase.ENDED: set[Phase](),
}
_ENTERED = frozenset({Phase.SETTLING, Phase.OPEN})


class Stream:
    """The client's side of the protocol, over as many lines as it takes. `position` is of the last turn delivered."""

    def __init__(self, limits: Limits, chance: Random, now: float, resume: Position | None, names: Names) -> None:
        self._limits, self._names = limits, names
        self._pace = Pace(limits, chance)
        self._expenses = Expenses(limits)
        self.phase = Phase.APART
        self.position = resume
        self.opens = 0
        """How often the stream came about."""
        self._credential: Credential | None = None
        self._refused_secret: str | None = None
        self._epoch = ""
        self._silence_s = 0.0
        self._quiet_by = self._renew_at = self._late_at = NEVER
        self._give_up_at = now + limits.first_s
        self._open_since: float | None = None
        self._progressed = self._asked = self._behind = False
        self._beats_behind = 0

    @property
    def deadline(self) -> float:
        """When `tick` has something to do."""
        due = self._expenses.due if self.phase in _ENTERED else NEVER
        return min(self._quiet_by, self._renew_at, due)

    @property
    def spending(self) -> bool:
        """Whether an answer is awaited, so that the line must be read whether or not turns have room."""
        return len(self._expenses) > 0

    def reaching(self, credential: Credential, now: float) -> list[Action]:
        """A line is being opened, to show this credential on it."""
        if credential.secret == self._refused_secret:
            self._go(Phase.ENDED)
            return [Fail(errors.Unauthenticated("the server refused this token, and no other one came: log in again"))]
        self._credential = credential
        self._go(Phase.REACHING)
        self._quiet_by = now + self._limits.connect_s
        return []

    def connected(self, now: float) -> None:
        """The line is open; the server speaks first."""
        self._go(Phase.GREETING)
        self._late_at = now + self._limits.auth_late_s
        self._quiet_by = now + self._limits.step_s

    def receive(self, text: str | bytes, now: float, *, room: bool = True) -> list[Action]:
        """Take a frame. Without `room` a turn is left with the server, to be asked for again by `roomy`."""
        if self.phase in (Phase.APART, Phase.REACHING, Phase.ENDED):
            return []
        try:
            frame = frames.decode(text)
        except frames.Unreadable as unreadable:
            return [Drop(str(unreadable))]
        if self.phase is Phase.OPEN:
            self.listen(now)
        return [] if frame is None else self._take(frame, now, room)

    def listen(self, now: float) -> None:
        """The line is read from now on: silence counts from here."""
        if self.phase is Phase.OPEN:
            self._quiet_by = now + self._silence_s

    def roomy(self) -> list[Action]:
        """There is room again: ask for the turns that were left."""
        if not self._behind or self.phase is not Phase.OPEN:
            return []
        self._behind = False
        return self._ask()

    def tick(self, now: float) -> list[Action]:
        """Do what is due: a line that fell silent, a token to be asked for again, expenses to be sent again."""
        if now >= self._quiet_by:
            return [Drop(f"nothing heard in time; waited for {self.phase.value}")]
        actions: list[Action] = []
        if now >= self._renew_at:
            self._renew_at = NEVER
            actions.append(Renew())
        if self.phase in _ENTERED:
            actions += [Send(text) for text in self._expenses.take_due(now)]
        return actions

    def renewed(self, credential: Credential, now: float) -> list[Action]:
        """A token came. The one in use is no news: the server would warn again at once."""
        if self.phase not in _ENTERED:
            return []
        if self._credential is not None and credential.secret == self._credential.secret:
            self.not_renewed(now)
            return []
        self._credential = credential
        return [Send(frames.auth(credential.kind, credential.secret))]

    def not_renewed(self, now: float) -> None:
        """No fresh token could be had; ask for one again soon."""
        self._renew_at = now + self._limits.renew_retry_s

    def spend(self, data: dict[str, Any]) -> tuple[str, list[Action]]:
        """Send an expense now, or when the line is back; returns the id of its `Answer`. Raises `ValueError`."""
        id_, text = self._expenses.add(data)
        return id_, [Send(text)] if self.phase in _ENTERED else []

    def forget(self, id_: str) -> None:
        """Nobody waits for this expense any more. It may be carried out all the same."""
        self._expenses.forget(id_)

    def lost(self, now: float, code: int | None, reason: str, *, at_least_s: float = 0.0) -> list[Action]:
        """The line ended: with a close code, or without. Returns `Retry` or `Fail`."""
        if self.phase is Phase.ENDED:
            return []
        verdict = retry.judge(code)
        if code == retry.UNAUTHENTICATED and (self._was_late(now) or self._may_renew()):
            verdict = Verdict.BACK_OFF
        self._leave(now)
        if verdict is Verdict.NEVER:
            self._go(Phase.ENDED)
            return [Fail(errors.of_close(code, reason))]
        after_s = self._pace.wait_s(verdict, at_least_s)
        if now + after_s > self._give_up_at:
            self._go(Phase.ENDED)
            return [Fail(errors.Unreachable(f"no stream in the time allowed; at last: {reason or code}"))]
        return [Retry(after_s, reason or f"closed with {code}")]

    def turned_away(self, now: float, status: int, retry_after_s: float = 0.0) -> list[Action]:
        """The upgrade was answered with an HTTP status instead."""
        reason = f"the upgrade was answered with HTTP {status}"
        if status == 401:
            return self.lost(now, retry.UNAUTHENTICATED, reason)
        # Later, a 403 or 404 only says that a front door does not know its replicas yet.
        if 400 <= status < 500 and status not in _RETRIED_STATUSES and not self.opens:
            self._go(Phase.ENDED)
            return [Fail(errors.Unreachable(f"{reason}: no live stream for us at this address"))]
        return self.lost(now, None, reason, at_least_s=min(retry_after_s, self._limits.backoff_max_s))

    def end(self) -> None:
        """The application leaves."""
        self.phase = Phase.ENDED

    def _take(self, frame: frames.ServerFrame, now: float, room: bool) -> list[Action]:
        entered, opened = self.phase in _ENTERED, self.phase is Phase.OPEN
        match frame:
            case frames.Hello(heartbeat_s=beat_s) if self.phase is Phase.GREETING:
                return self._authenticate(beat_s, now)
            case frames.Ready() if self.phase is Phase.ENTERING:
                return self._enter(frame, now)
            case frames.Ready(epoch=epoch, resumed=True) if entered and epoch == self._epoch:
                return []
            case frames.Overview() if self.phase is Phase.SETTLING:
                return self._settle(frame, now, room)
            case Turn() if entered:
                return self._turn(frame, room) if opened else []
            case frames.Heartbeat(head=head) if entered:
                return self._beat(head) if opened else []
            case frames.Reset() if entered:
                self._go(Phase.SETTLING)
                self._quiet_by = now + self._limits.step_s
                return []
            case frames.Expiring() if entered:
                return [Renew()] if self._credential is not None and self._credential.renewable else []
            case frames.Accepted(id=id_, data=receipt) if entered:
                return [Answer(id_, receipt=receipt)] if self._expenses.forget(id_) else []
            case frames.Rejected(id=id_, problem=problem) if entered:
                return self._rejected(id_, problem, now)
            case _:
                return [Drop(f"the server sent {type(frame).__name__}; expected {self.phase.value}")]

    def _authenticate(self, beat_s: float, now: float) -> list[Action]:
        assert self._credential is not None
        self._silence_s = self._limits.silence_beats * beat_s + self._limits.silence_grace_s
        self._go(Phase.ENTERING)
        self._quiet_by = now + self._limits.step_s
        return [Send(frames.auth(self._credential.kind, self._credential.secret, self.position, self._names))]

    def _enter(self, ready: frames.Ready, now: float) -> list[Action]:
        if ready.resumed and (self.position is None or ready.epoch != self.position.epoch):
            return [Drop(f"the server resumed {ready.epoch!r}, which was not asked for")]
        self._epoch = ready.epoch
        self._asked = self._behind = self._progressed = False
        self._beats_behind = 0
        if ready.resumed:
            self._open(now)
        else:
            self._go(Phase.SETTLING)
            self._quiet_by = now + self._limits.step_s
        return [Send(text) for text in self._expenses.all()]

    def _settle(self, overview: frames.Overview, now: float, room: bool) -> list[Action]:
        if not room:
            # It cannot be left as a turn can: what follows it rests on it.
            return [Drop("no room for a snapshot: the application does not take its turns")]
        reset = self.position is not None
        self.position = Position(self._epoch, overview.seq)
        self._asked = self._behind = False
        self._open(now)
        return [Deliver(Snapshot(overview.seq, overview.data, reset))]

    def _open(self, now: float) -> None:
        self._go(Phase.OPEN)
        self.listen(now)
        self._refused_secret = None
        if self._open_since is None:
            self._open_since = now
            self.opens += 1

    def _turn(self, turn: Turn, room: bool) -> list[Action]:
        assert self.position is not None
        if turn.seq <= self.position.seq:
            return []
        if turn.seq > self.position.seq + 1:
            return [] if self._asked or self._behind else self._ask()
        if not room:
            self._behind = True
            return []
        self.position = Position(self._epoch, turn.seq)
        self._progressed = True
        self._asked = False
        self._beats_behind = 0
        return [Deliver(turn)]

    def _beat(self, head: int) -> list[Action]:
        assert self.position is not None
        if head <= self.position.seq or self._behind:
            return []
        self._beats_behind += 1
        if self._beats_behind > self._limits.beats_behind_max:
            return [Drop(f"turn {self.position.seq + 1} does not come, though {head} are committed")]
        return self._ask()

    def _ask(self) -> list[Action]:
        assert self.position is not None
        self._asked = True
        return [Send(frames.resume(self.position.seq))]

    def _rejected(self, id_: str, problem: frames.Problem, now: float) -> list[Action]:
        if self._expenses.busy(id_, problem, now):
            return []
        return [Answer(id_, problem=problem)] if self._expenses.forget(id_) else []

    def _was_late(self, now: float) -> bool:
        """Whether a slow line, not the token, may be why the server did not take our auth."""
        return self.phase is Phase.GREETING or (self.phase is Phase.ENTERING and now >= self._late_at)

    def _may_renew(self) -> bool:
        """Whether another token may help: once for each that is refused, and only where another one can be had."""
        if self._credential is None or not self._credential.renewable:
            return False
        first = self._refused_secret is None
        self._refused_secret = self._credential.secret
        return first

    def _leave(self, now: float) -> None:
        if self._open_since is not None:
            if self._progressed or now - self._open_since >= self._limits.stable_s:
                self._pace.succeeded()
            self._give_up_at = now + self._limits.give_up_s
        self._open_since = None
        self._quiet_by = self._renew_at = NEVER
        if self.phase is not Phase.APART:
            self._go(Phase.APART)

    def _go(self, phase: Phase) -> None:
        if phase is not Phase.ENDED and phase not in _NEXT[self.phase]:
            raise RuntimeError(f"the stream waits for {self.phase.value}; {phase.name} cannot follow {self.phase.name}")
        self.phase = phase
