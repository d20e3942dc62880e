"""Whatever happens in whatever order, a client ends with the journal: dense, complete, in order."""

import asyncio

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from serve.live.gateway import Gateway
from serve.live.limits import Limits
from tests.support.live_socket import EPOCH, Client, ports
from tests.support.manual_clock import ManualClock, settle
from tests.support.memory_runtime import MemoryRuntime

LIMITS = Limits(queue_frames_max=16, history_frames_max=3, sockets_per_user_max=50, close_s=0.01)
USERS = ("asha", "ravi")

Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("commit", "commit", "burst", "lose", "restart", "revive", "time", "run"),
                *("leave", "hang-up", "join", "resume", "pause", "unpause", "hold", "free"),
            ]
        ),
        st.integers(0, 1),
        st.integers(0, 12),
    ),
    max_size=40,
)


class Reader:
    """A client as its author should write it: keeps what is next, drops what it has, resumes after every loss."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.seen: list[int] = []
        self._socket: Client | None = None
        self._read = 0

    async def connect(self, gateway: Gateway) -> None:
        self.take_in()
        self._read = 0
        self._socket = Client(gateway)
        last = self.seen[-1] if self.seen else 0
        self._socket.wire.type({"t": "auth", "token": f"{self.user}@99999", "resume": {"epoch": EPOCH, "seq": last}})

    def take_in(self) -> None:
        if self._socket is None:
            return
        frames = self._socket.frames
        for frame in frames[self._read :]:
            assert frame["t"] not in ("reset", "snapshot"), "every position here can be resumed"
            if frame["t"] == "turn" and frame["seq"] > (self.seen[-1] if self.seen else 0):
                assert frame["seq"] == (self.seen[-1] if self.seen else 0) + 1, f"a gap before {frame['seq']}"
                self.seen.append(frame["seq"])
        self._read = len(frames)

    def leave(self, *, politely: bool) -> None:
        if self._socket is not None and politely:
            self._socket.wire.type(None)
        elif self._socket is not None:
            self._socket.task.cancel()

    def resume(self) -> None:
        self.take_in()
        if self._socket is not None and self._socket.of("ready"):
            self._socket.wire.type({"t": "resume", "seq": self.seen[-1] if self.seen else 0})

    def pause(self, paused: bool) -> None:
        if self._socket is not None:
            (self._socket.wire.pause if paused else self._socket.wire.unpause)()

    @property
    def gone(self) -> bool:
        return self._socket is None or self._socket.task.done()


async def perform(
    step: Step, runtime: MemoryRuntime, gateway: Gateway, readers: list[Reader], clock: ManualClock
) -> None:
    what, who, much = step
    reader = readers[who]
    match what:
        case "leave" | "hang-up":
            reader.leave(politely=what == "hang-up")
        case "join":
            await reader.connect(gateway)
        case "resume":
            reader.resume()
        case "pause" | "unpause":
            reader.pause(what == "pause")
        case "time":
            await clock.advance(much)
        case "run":
            await settle(much)
        case _:
            happen(what, f"main/{USERS[who]}", much, runtime)


def happen(what: str, entity_id: str, much: int, runtime: MemoryRuntime) -> None:
    """Do what happens on the shards' side."""
    home = runtime.shard_of(entity_id)
    match what:
        case "commit" | "burst":
            for _ in range(much if what == "burst" else 1):
                runtime.commit(entity_id)
        case "lose":
            runtime.commit(entity_id, fed=False)
            runtime.restart(home)
        case "restart":
            runtime.restart(home, down=much > 6)
        case "revive":
            runtime.revive(home)
        case "hold":
            runtime.gate.clear()
        case "free":
            runtime.gate.set()


async def live_through(script: list[Step], shards: int) -> None:
    clock = ManualClock()
    runtime = MemoryRuntime(clock, shards=shards, ring_frames_max=4)
    gateway = Gateway(ports(runtime, clock), LIMITS, "gateway-1")
    readers = [Reader(user) for user in USERS]
    for reader in readers:
        await reader.connect(gateway)
    for step in script:
        await perform(step, runtime, gateway, readers, clock)
        for reader in readers:
            reader.take_in()
    runtime.gate.set()
    for shard in range(shards):
        runtime.revive(shard)
    for _ in range(4):  # a client that was closed or left comes back, and resumes
        for reader in readers:
            reader.pause(False)
            await clock.advance(3.0)
            reader.take_in()
            if reader.gone:
                await reader.connect(gateway)
        await clock.advance(6.0)
    for reader, user in zip(readers, USERS, strict=True):
        reader.take_in()
        journal = [frame.seq for frame in runtime.journal.get(f"main/{user}", [])]
        note(f"{user}: saw {reader.seen} of {len(journal)}, pulls {runtime.pulls[-5:]}")
        assert reader.seen == journal
    await gateway.close()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=steps, shards=st.integers(1, 2))
def test_every_interleaving_ends_with_the_journal(script: list[Step], shards: int) -> None:
    asyncio.run(live_through(script, shards))
