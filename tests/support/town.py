"""Several persons and groups without a runtime: each carries out commands as a shard does, letters travel in memory.

Letters of a pair (sender, receiver) keep their order; pairs overtake each other as the test wants, a letter may arrive
twice, and `crash` makes an entity start again from its journal at any moment.
"""

from collections import defaultdict, deque
from datetime import datetime
from typing import Any, Literal

import msgspec

from engine import letters
from engine.behaviour import Behaviour, Context, Facts, Refused, TimerRow, Turn
from engine.commands import Command, Confirm, OpenUser, ReportResult
from engine.events import JarDeposited
from engine.groups.commands import GroupCommand
from engine.groups.hosting import GROUP_BEHAVIOUR
from engine.groups.state import GroupState
from engine.hosting import UserBehaviour
from engine.ledger import WALLET, jar_account, transfer
from engine.letters import GROUP_MARK, Letter
from engine.settlement import rows_settlement
from engine.state import UserState
from tests.support.outside import Told

USERS = UserBehaviour()


class Citizen:
    """One entity: its state, its journal, and what it has been told under which command id."""

    def __init__(self, behaviour: Behaviour, local_id: str) -> None:
        self.behaviour = behaviour
        self.entity_id = f"main/{local_id}"
        self.state: Any = behaviour.initial(self.entity_id)
        self.turns: list[Turn] = []
        self.bodies: list[bytes] = []
        self.known: dict[str, tuple[bytes, Turn]] = {}
        self.timers: dict[str, TimerRow] = {}

    def replayed(self, snapshot_at: int | None = None) -> Any:
        """Return the state its journal gives, through a snapshot after so many turns."""
        state = self.behaviour.initial(self.entity_id)
        for number, body in enumerate(self.bodies, start=1):
            for event in self.behaviour.decode_turn(body)[0]:
                self.behaviour.evolve(state, event)
            if number == snapshot_at:
                state = self.behaviour.decode_state(self.behaviour.encode_state(state))
        return state


class Town:
    """Entities by local id, and the letters between them that have not been acknowledged."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.citizens: dict[str, Citizen] = {}
        self.post: defaultdict[tuple[str, str], deque[Letter]] = defaultdict(deque)
        self.orders: defaultdict[str, deque[str]] = defaultdict(deque)
        """Instructions the host has not reported on, by user id."""
        self.outside = Told()
        self._ids = 0

    def person(self, user_id: str, opening: OpenUser | None = None) -> UserState:
        """Return a user's state; opens an unknown one."""
        if user_id not in self.citizens:
            self.citizens[user_id] = Citizen(USERS, user_id)
            self.tell(user_id, opening or OpenUser())
        state: UserState = self.citizens[user_id].state
        return state

    def group(self, group_id: str) -> GroupState:
        """Return a group's state."""
        state: GroupState = self._citizen(GROUP_MARK + group_id).state
        return state

    def _citizen(self, local_id: str) -> Citizen:
        if local_id not in self.citizens:
            self.citizens[local_id] = Citizen(GROUP_BEHAVIOUR if local_id.startswith(GROUP_MARK) else USERS, local_id)
        return self.citizens[local_id]

    def new_id(self) -> str:
        """Return the next id."""
        self._ids += 1
        return f"019aa000-0000-7000-8000-{self._ids:012d}"

    def tell(self, to: str, command: Command | GroupCommand, command_id: str | None = None) -> Any:
        """Carry out a command and return its answer, decoded. Raises `Refused`."""
        turn = self._carry_out(to, msgspec.msgpack.encode(command), command_id or f"http:{self.new_id()}")
        return msgspec.json.decode(self.citizens[to].behaviour.answer(turn))

    def _carry_out(self, to: str, raw: bytes, command_id: str) -> Turn:
        citizen = self._citizen(to)
        twin = citizen.known.get(command_id)
        if twin is not None:
            assert twin[0] == raw, f"{command_id} means two things"
            return twin[1]
        behaviour = citizen.behaviour
        context = Context(self.at, len(citizen.turns) + 1, self.new_id, None, self.outside)
        decision = behaviour.decide(citizen.state, behaviour.decode_command(raw), Facts(), context)
        body = behaviour.encode_turn(decision.events, decision.result)
        events, result = behaviour.decode_turn(body)
        turn = Turn(citizen.entity_id, len(citizen.turns) + 1, self.at, events, result, decision.outbox)
        declined = behaviour.declined(turn)
        for event in events:
            behaviour.evolve(citizen.state, event)
        behaviour.push(turn)
        citizen.turns.append(turn)
        citizen.bodies.append(body)
        citizen.known[command_id] = (raw, turn)
        rows = behaviour.rows(turn)
        for timer in rows.timers:
            citizen.timers.pop(timer.timer_id, None)
            if timer.body is not None:
                citizen.timers[timer.timer_id] = timer
        for row in rows.outbox:
            if letters.is_letter(row):
                one = letters.read(row.body)
                self.post[to, one.to].append(one)
            elif row.channel == "instruction":
                self.orders[to].append(rows_settlement.decode(row.body).instruction_id)
        if declined is not None:
            raise declined
        return turn

    def deliver(self, pair: tuple[str, str], *, acknowledged: bool = True) -> None:
        """Deliver the first letter of a pair; not acknowledged, it will come again."""
        one = self.post[pair][0]
        try:
            self._carry_out(one.to, bytes(one.command), one.command_id)
        except Refused:
            if one.on_refused is None:
                raise
            self._carry_out(pair[0], one.on_refused, f"{one.command_id}:refused")
        if acknowledged:
            self.post[pair].popleft()
        if not self.post[pair]:
            del self.post[pair]

    def deliver_all(self) -> None:
        """Deliver until no letter is left."""
        while self.post:
            self.deliver(next(iter(self.post)))

    def report(self, user_id: str, status: Literal["done", "failed"]) -> None:
        """Let the host report on a user's first instruction."""
        self.tell(user_id, ReportResult(instruction_id=self.orders[user_id].popleft(), status=status))

    def report_all(self) -> None:
        """Let the host have carried out all it was asked for."""
        for user_id, waiting in self.orders.items():
            while waiting:
                self.report(user_id, "done")

    def crash(self, local_id: str) -> None:
        """Lose an entity's memory: it starts again from its journal."""
        citizen = self.citizens[local_id]
        citizen.state = citizen.replayed(snapshot_at=len(citizen.bodies) // 2)

    def wait(self, until: datetime) -> None:
        """Let time pass; timers fire as they fall due."""
        for local_id, citizen in list(self.citizens.items()):
            for timer in sorted(citizen.timers.values(), key=lambda t: t.due):
                if timer.due <= until and timer.body is not None:
                    self.at = max(self.at, timer.due)
                    del citizen.timers[timer.timer_id]
                    self._carry_out(local_id, timer.body, f"timer:{timer.timer_id}:{timer.due.isoformat()}")
        self.at = until

    def confirm(self, user_id: str, asked: dict[str, Any], action: str) -> Any:
        """Answer a challenge with the code that was sent last."""
        proof = self.outside.digest(asked["challenge_id"], self.outside.codes[-1])
        return self.tell(user_id, Confirm(challenge_id=asked["challenge_id"], proof=proof, action=action))

    def settle(self, user_id: str, amount: int) -> str:
        """Put money that has moved already into a user's default jar; return the jar's id."""
        citizen = self.citizens[user_id]
        state: UserState = citizen.state
        jar_id = state.default_jar_id
        event = JarDeposited(
            deposit_id=self.new_id(),
            jar_id=jar_id,
            at=self.at,
            local_date=self.at.date(),
            amount=amount,
            postings=transfer(jar_account(jar_id, "settled"), WALLET, amount, state.profile.currency),
        )
        body = msgspec.msgpack.encode(([event], {"type": "shown", "view": None}))
        citizen.behaviour.evolve(state, event)
        citizen.bodies.append(body)
        citizen.turns.append(Turn(citizen.entity_id, len(citizen.turns) + 1, self.at, [event], None))
        return jar_id
