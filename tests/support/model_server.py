"""A server of `boond.v1` as a model, and a client's stream on it: every frame moves when the test says so, no I/O.

The model may do what the protocol and a bad day allow: send turns twice or leave some out, close at any frame, lose
what was under way, begin anew, serve a restored journal. The application checks each item as it is given.
"""

import json
from collections import deque
from random import Random
from typing import Any

from msgspec import json as codec

from serve.client.actions import Action, Answer, Deliver, Drop, Fail, Renew, Retry, Send
from serve.client.credentials import Credential
from serve.client.frames import Position, Snapshot, Turn
from serve.client.limits import Limits
from serve.client.stream import Phase, Stream


class Server:
    """A journal of one user, and at most one line."""

    def __init__(self) -> None:
        self.epoch, self.head = "epoch-0", 3
        self.out: deque[dict[str, Any]] = deque()
        self.sent = 0
        """Last turn put on the line."""
        self.entered = False
        self.spent: list[str] = []

    def greet(self) -> None:
        self.out = deque([{"t": "hello", "heartbeat_s": 10.0}])
        self.entered = False

    def take(self, frame: dict[str, Any]) -> None:
        """Take a frame of the client."""
        match frame["t"]:
            case "auth" if self.entered:
                self.out.append({"t": "ready", "epoch": self.epoch, "head": self.head, "resumed": True})
            case "auth":
                self._enter(frame.get("resume"))
            case "resume":
                assert self.entered, "resume before ready"
                assert 0 <= frame["seq"] <= self.head, "a resume beyond the journal of this epoch"
                self.sent = frame["seq"]
                self.push()
            case "expense":
                assert self.entered, "an expense before ready"
                self.spent.append(frame["data"]["external_id"])
                self.out.append({"t": "receipt", "id": frame["id"], "data": {"of": frame["data"]["external_id"]}})

    def _enter(self, resume: dict[str, Any] | None) -> None:
        self.entered = True
        resumed = resume is not None and resume["epoch"] == self.epoch and 0 <= resume["seq"] <= self.head
        self.out.append({"t": "ready", "epoch": self.epoch, "head": self.head, "resumed": resumed})
        if resume is not None and resumed:
            self.sent = resume["seq"]
            self.push()
        else:
            self.begin_anew(told=resume is not None)

    def begin_anew(self, *, told: bool = True) -> None:
        """Forget the past: reset and snapshot."""
        if told:
            self.out.append({"t": "reset", "head": self.head})
        self.out.append({"t": "snapshot", "seq": self.head, "data": {"at": self.head}})
        self.sent = self.head

    def commit(self, turns: int) -> None:
        self.head += turns
        self.push()

    def push(self) -> None:
        """Put on the line what it has not seen."""
        while self.entered and self.sent < self.head:
            self.sent += 1
            self.out.append(self.turn(self.sent))

    def turn(self, seq: int) -> dict[str, Any]:
        return {"t": "turn", "seq": seq, "at": "-", "events": [{"type": "x", "data": {"of": f"{self.epoch}/{seq}"}}]}

    def restore(self, head: int) -> None:
        """Another journal, with another epoch; its process is another too, so the line is gone."""
        self.epoch, self.head = f"epoch-{int(self.epoch.partition('-')[2]) + 1}", head
        self.entered = False


class World:
    """A stream, the server, and an application that believes nothing."""

    def __init__(self, limits: Limits | None = None, resume: Position | None = None) -> None:
        self.server, self.now, self.limits = Server(), 0.0, limits or Limits()
        self.stream = Stream(self.limits, Random(1), 0.0, resume, "boond")
        self.given: list[Turn | Snapshot] = []
        self.seen = resume
        self.answers: list[str] = []
        self.asked: list[str] = []
        self.room = True
        self.tokens = 0
        self.connect()

    @property
    def up(self) -> bool:
        return self.stream.phase not in (Phase.APART, Phase.REACHING, Phase.ENDED)

    def connect(self) -> None:
        """Open a line at once, whatever the pace."""
        self.tokens += 1
        self.perform(self.stream.reaching(Credential("token", f"token-{self.tokens}", True), self.now))
        self.stream.connected(self.now)
        self.server.greet()

    def lose(self, code: int | None = None) -> None:
        """End the line; what was under way is lost."""
        if self.up:
            self.server.out.clear()
            self.server.entered = False
            self.now += 0.01
            self.perform(self.stream.lost(self.now, code, "a bad day"))

    def step(self) -> bool:
        """Move one frame to the client; False when there is none."""
        if not self.up:
            self.now += 1
            self.connect()
        if not self.server.out:
            return False
        frame = self.server.out.popleft()
        self.now += 0.001
        self.perform(self.stream.receive(json.dumps(frame), self.now, room=self.room))
        return True

    def beat(self) -> None:
        """Let the server send a heartbeat, as it does when it has nothing else to send."""
        if self.up and self.server.entered and not self.server.out:
            self.server.out.append({"t": "heartbeat", "head": self.server.head})

    def spend(self) -> None:
        if self.stream.phase is not Phase.ENDED and len(self.asked) < 40:
            external_id = f"x{len(self.asked)}"
            id_, actions = self.stream.spend({"external_id": external_id})
            self.asked.append(id_)
            self.perform(actions)

    def perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(text=text):
                    self.server.take(json.loads(text))
                case Deliver(item=item):
                    self._check(item)
                case Answer(id=id_):
                    assert id_ not in self.answers, "answered twice"
                    self.answers.append(id_)
                case Renew():
                    self.tokens += 1
                    fresh = Credential("token", f"token-{self.tokens}", True)
                    self.perform(self.stream.renewed(fresh, self.now))
                case Drop():
                    self.lose()
                case Retry(after_s=after_s):
                    assert 0 <= after_s <= self.limits.backoff_max_s
                    self.now += after_s
                case Fail(error=error):
                    raise AssertionError(f"gave up: {error}")

    def _check(self, item: Turn | Snapshot) -> None:
        """The next turn of the stream, or a snapshot that says that the past is void."""
        epoch = self.server.epoch
        if isinstance(item, Snapshot):
            assert item.reset == (self.seen is not None), "a snapshot in the middle is a reset, the first one is not"
            self.seen = Position(epoch, item.seq)
        else:
            assert self.seen is not None
            assert self.seen == Position(epoch, item.seq - 1), f"{self.seen} and then turn {item.seq} of {epoch}"
            [event] = item.events
            assert event.data == {"of": f"{epoch}/{item.seq}"}
            self.seen = Position(epoch, item.seq)
        self.given.append(item)
        assert self.stream.position == self.seen
        assert codec.decode(codec.encode(self.seen), type=Position) == self.seen
