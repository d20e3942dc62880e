"""One user's client against a gateway, whatever either side and the shard do: it accepts the journal, dense, in order.

The client reads slowly, lies about its position, sends what no client may, leaves and comes back at any point; the feed
loses turns, sends them twice and in another order; shards die. The model is the journal and what the client has.
"""

import asyncio
import json
import random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from typing_extensions import override

from actors.messages import Frame
from serve.live.gateway import Gateway
from serve.live.limits import Limits
from tests.simulation.loop import VirtualLoop
from tests.support.live_socket import EPOCH, Client, ports
from tests.support.manual_clock import ManualClock, settle
from tests.support.memory_runtime import MemoryRuntime

ASHA = "main/asha"
LIMITS = Limits(
    queue_frames_max=12, history_frames_max=3, sockets_per_user_max=50, close_s=0.01, entering_at_once_max=2
)
WAYS_BACK = ("as it should", "from the start", "fresh", "another epoch", "ahead")
NEVER_RETRY = {4001, 4003, 4008}
MISDEEDS: dict[str, Any] = {
    "garbage": "{",
    "binary": b"\x00",
    "an unknown frame": {"t": "turn", "seq": 1},
    "an ack of what never was": {"t": "ack", "seq": 10**6},
    "an ack below zero": {"t": "ack", "seq": -1},
    "another user": {"t": "auth", "token": "ravi@9999"},
    "a ticket of another user": {"t": "auth", "ticket": "ticket:ravi@9999"},
    "no token": {"t": "auth"},
}


class Reader:
    """What the client has: `last` is None until it has a place to begin, a snapshot's or one it was resumed at."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.accepted: dict[int, str] = {}
        self.claimed: int | None = None
        self.misbehaved = False
        self.closes: list[int] = []
        self.socket: Client | None = None
        self._read = 0

    def take_in(self) -> None:
        """Take in what came since; every frame is held against what the client has at that place."""
        if self.socket is None:
            return
        for frame in self.socket.frames[self._read :]:
            getattr(self, f"_{frame['t']}", lambda _: None)(frame)
        self._read = len(self.socket.frames)

    def _ready(self, frame: dict[str, Any]) -> None:
        self.last = self.claimed if frame["resumed"] and self.claimed is not None else self.last

    def _reset(self, _: dict[str, Any]) -> None:
        self.last = None

    def _snapshot(self, frame: dict[str, Any]) -> None:
        self.last = frame["seq"]
        self.accepted.clear()

    def _turn(self, frame: dict[str, Any]) -> None:
        assert self.last is not None, "a turn before the client has a place to begin"
        if frame["seq"] <= self.last:
            return
        assert frame["seq"] == self.last + 1, f"a gap: {frame['seq']} after {self.last}"
        self.last = frame["seq"]
        self.accepted[frame["seq"]] = str(frame["events"])

    def _heartbeat(self, frame: dict[str, Any]) -> None:
        if self.last is not None:
            assert frame["head"] <= self.last, f"a heartbeat of {frame['head']} makes {self.last} look like a gap"

    def leave(self, *, politely: bool) -> None:
        if self.socket is not None and self.socket.code is not None:
            self.closes.append(self.socket.code)
        if self.socket is not None and politely:
            self.socket.wire.type(None)
        elif self.socket is not None:
            self.socket.task.cancel()
        self.socket, self._read = None, 0

    @property
    def is_open(self) -> bool:
        return self.socket is not None and not self.socket.task.done() and self.socket.code is None

    @property
    def is_ready(self) -> bool:
        return self.is_open and self.last is not None and self.socket is not None and bool(self.socket.of("ready"))


class Socket(RuleBasedStateMachine):
    """Rules of the client, of the shard and of time; each ends with all that can happen having happened."""

    def __init__(self) -> None:
        super().__init__()
        # What is left to the loop's own clock (how long a close may take) must not depend on how busy the machine is.
        self.loop = VirtualLoop()
        self.clock = ManualClock()
        self.runtime = MemoryRuntime(self.clock, shards=1, ring_frames_max=4)
        self.reader = Reader()

    async def _rest(self) -> None:
        await settle(120)
        await asyncio.sleep(LIMITS.close_s)
        await settle(120)

    def run(self, coroutine: Any) -> None:
        self.loop.run_until_complete(coroutine)
        self.loop.run_until_complete(self._rest())
        self.reader.take_in()

    @initialize()
    def begin(self) -> None:
        async def gateway() -> Gateway:
            return Gateway(ports(self.runtime, self.clock), LIMITS, "gateway-1")

        self.gateway = self.loop.run_until_complete(gateway())

    async def connect(self, resume: dict[str, Any] | None, *, ticket: bool) -> None:
        self.reader.take_in()
        client = self.reader.socket = Client(self.gateway)
        token = {"ticket": f"ticket:asha@{random.random() + 99_999}"} if ticket else {"token": "asha@99999"}
        client.wire.type({"t": "auth", **token, **({"resume": resume} if resume else {})})

    @rule(
        how=st.sampled_from(["as it should", "from the start", "fresh", "another epoch", "ahead"]), polite=st.booleans()
    )
    def come_back(self, how: str, polite: bool) -> None:
        reader = self.reader
        reader.take_in()
        reader.leave(politely=polite)
        seq = {"from the start": 0, "ahead": 10**6}.get(how, reader.last)
        resume = (
            None if how == "fresh" or seq is None else {"epoch": "old" if how == "another epoch" else EPOCH, "seq": seq}
        )
        reader.claimed = seq if resume and how in ("as it should", "from the start") else None
        if how == "from the start":
            reader.accepted.clear()
        if how in ("fresh", "another epoch", "ahead") or resume is None:
            reader.last = None
        self.run(self.connect(resume, ticket=polite))

    @precondition(lambda self: self.reader.is_ready)
    @rule(ahead=st.booleans())
    def ask_again(self, ahead: bool) -> None:
        assert self.reader.socket is not None
        seq = 10**6 if ahead else self.reader.last
        self.run(self.reader.socket.say({"t": "resume", "seq": seq}))

    @precondition(lambda self: self.reader.is_ready)
    @rule()
    def ack(self) -> None:
        assert self.reader.socket is not None
        self.run(self.reader.socket.say({"t": "ack", "seq": self.reader.last}))

    @precondition(lambda self: self.reader.is_ready)
    @rule(misdeed=st.sampled_from(sorted(MISDEEDS)))
    def misbehave(self, misdeed: str) -> None:
        assert self.reader.socket is not None
        self.reader.misbehaved = True
        self.run(self.reader.socket.say(MISDEEDS[misdeed]))

    @precondition(lambda self: self.reader.is_open)
    @rule(external_id=st.integers(0, 10**9))
    def spend(self, external_id: int) -> None:
        assert self.reader.socket is not None
        frame = {"t": "expense", "id": "c", "data": {"external_id": str(external_id)}}
        self.run(self.reader.socket.say(frame))

    @precondition(lambda self: self.reader.socket is not None)
    @rule(reads=st.booleans())
    def read_or_not(self, reads: bool) -> None:
        assert self.reader.socket is not None
        (self.reader.socket.wire.unpause if reads else self.reader.socket.wire.pause)()
        self.run(asyncio.sleep(0))

    @rule(count=st.integers(1, 20), at_once=st.booleans())
    def commit(self, count: int, at_once: bool) -> None:
        for _ in range(count):
            self.runtime.commit(ASHA)
            if not at_once:
                self.run(asyncio.sleep(0))
        self.run(asyncio.sleep(0))

    @rule()
    def lose_a_turn_with_its_shard(self) -> None:
        self.runtime.commit(ASHA, fed=False)
        self.runtime.restart(0)
        self.run(asyncio.sleep(0))

    @rule(down=st.booleans())
    def restart(self, down: bool) -> None:
        self.runtime.restart(0, down=down)
        self.run(asyncio.sleep(0))

    @rule()
    def revive(self) -> None:
        self.runtime.revive(0)
        self.run(asyncio.sleep(0))

    @rule(seed=st.integers(0, 99) | st.none())
    def disturb_the_feed(self, seed: int | None) -> None:
        chance = random.Random(seed)

        def disturbed(frames: list[Frame]) -> list[Frame]:
            kept = [frame for frame in frames if chance.random() < 0.7]
            twice = kept + [frame for frame in kept if chance.random() < 0.3]
            return chance.sample(twice, len(twice))

        self.runtime.disturb = disturbed if seed is not None else lambda frames: frames

    @rule(held=st.booleans())
    def hold_history(self, held: bool) -> None:
        (self.runtime.gate.clear if held else self.runtime.gate.set)()
        self.run(asyncio.sleep(0))

    @rule(seconds=st.sampled_from([0.2, 1.0, 3.0, 11.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.run(self.clock.advance(seconds))

    @override
    def teardown(self) -> None:
        if not hasattr(self, "gateway"):
            return
        self.runtime.gate.set()
        self.runtime.disturb = lambda frames: frames
        self.runtime.revive(0)
        if self.reader.socket is not None:
            self.reader.socket.wire.unpause()
        for _ in range(3):
            self.run(self.clock.advance(LIMITS.recheck_s + LIMITS.pull_wait_s))
            if not self.reader.is_open:
                self.come_back("as it should", polite=True)
        self.compare()
        self.end()

    def compare(self) -> None:
        """Hold what the client accepted against the journal."""
        reader, journal = self.reader, self.runtime.journal.get(ASHA, [])
        assert reader.last == len(journal), f"the client has {reader.last} of {len(journal)}"
        for seq, events in reader.accepted.items():
            assert events == str(json.loads(journal[seq - 1].events)), f"turn {seq} is not the journal's"
        assert sorted(reader.accepted) == list(range(len(journal) - len(reader.accepted) + 1, len(journal) + 1))
        assert reader.misbehaved or not NEVER_RETRY & set(reader.closes), f"closed without a fault: {reader.closes}"

    def end(self) -> None:
        """Nothing is left behind once everybody is gone."""
        self.reader.leave(politely=False)
        self.run(settle(120))
        assert (self.gateway.sockets, self.gateway.users) == (0, 0)
        self.run(self.gateway.close())
        self.loop.run_until_complete(settle(120))
        self.loop.close()


TestSocket = Socket.TestCase
TestSocket.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
