"""The port to traces: spans of what happens to a request, off unless a process turns them on.

Off, it costs one test of `TRACES.on` where something could be recorded. On, only what carries a `traceparent` in its
`Meta` is recorded: whoever begins a trace decides, once, whether it is one of the sampled.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import structs

from actors.cause import TRACE
from actors.messages import Envelope

Told = str | int | float | bool
TRACED_OF_A_BATCH_MAX = 20
"""Turns of one batch that are recorded; the others are like them."""


class Span(Protocol):
    """Something under way."""

    context: str
    """The W3C `traceparent` of what happens within it."""

    def end(self, **told: Told) -> None:
        """It is over; `told` are its attributes."""


class Recorder(Protocol):
    """Makes spans. Neither call may wait or raise."""

    def root(self, name: str, traceparent: str) -> Span | None:
        """Begin what came from outside, within the caller's trace if there is one; None when it is not sampled."""

    def begin(self, name: str, within: str) -> Span:
        """Begin a part of the span whose `context` is `within`."""


class Traces:
    """Whether this process records, and with what."""

    __slots__ = ("on", "recorder")

    def __init__(self) -> None:
        self.on = False
        self.recorder: Recorder

    def use(self, recorder: Recorder | None) -> None:
        """Record with this from now on; None turns it off."""
        self.on = recorder is not None
        if recorder is not None:
            self.recorder = recorder


TRACES = Traces()


def root(name: str, traceparent: str = "") -> Span | None:
    """Begin a trace, or a caller's goes on, for the present task; None when this one is not recorded."""
    span = TRACES.recorder.root(name, traceparent)
    TRACE.set("" if span is None else span.context)
    return span


def begin(name: str, within: str) -> Span | None:
    """Begin a part of what is recorded; None when nothing is."""
    return TRACES.recorder.begin(name, within) if TRACES.on and within else None


class Story:
    """A span told in stages, one after the other."""

    __slots__ = ("_stage", "span")

    def __init__(self, name: str, within: str, stage: str) -> None:
        self.span = TRACES.recorder.begin(name, within)
        self._stage: Span | None = TRACES.recorder.begin(stage, self.span.context)

    def enter(self, stage: str) -> None:
        """The last stage is over, this one begins."""
        self.leave()
        self._stage = TRACES.recorder.begin(stage, self.span.context)

    def leave(self) -> None:
        """The last stage is over."""
        if self._stage is not None:
            self._stage.end()
            self._stage = None

    def end(self, **told: Told) -> None:
        """All is over."""
        self.leave()
        self.span.end(**told)


def story_of(envelope: Envelope, name: str, stage: str) -> Story | None:
    """Begin the story of an envelope; None when it is not recorded."""
    return Story(name, envelope.meta.trace, stage) if TRACES.on and envelope.meta.trace else None


def within(envelope: Envelope, context: str) -> Envelope:
    """Return an envelope as a part of another span; of none when that is empty."""
    return structs.replace(envelope, meta=structs.replace(envelope.meta, trace=context))


def some(envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Return the envelopes of a batch of which only the first are recorded."""
    first, rest = envelopes[:TRACED_OF_A_BATCH_MAX], envelopes[TRACED_OF_A_BATCH_MAX:]
    return [*first, *(within(envelope, "") for envelope in rest)]
