"""Spans, from `traceparent` to a collector that listens, refuses, or is gone."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest
from msgspec import structs
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import get_current_span
from typing_extensions import override

from actors.cause import TRACE
from actors.messages import Meta, Pull
from actors.tracing import TRACED_OF_A_BATCH_MAX, TRACES, begin, root, some
from serve import traces
from serve.settings import RuntimeConfig, WrongSetting, load
from tests.support.collector import Collector, tree
from tests.support.counter import pay
from tests.support.memory_journal import MemoryJournal
from tests.support.rest import serving
from tests.support.shards import running_shard

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOT_SAMPLED = CALLER[:-1] + "0"


def config(url: str, ratio: float = 1.0) -> RuntimeConfig:
    return RuntimeConfig(
        postgres_url="",
        namespace="n",
        instance_id="i",
        shards=1,
        data="",
        version="1",
        traces=url,
        traces_ratio=ratio,
    )


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as listening:
        yield listening


@pytest.fixture
def recording(collector: Collector) -> Iterator[traces.Recording]:
    """This process records everything; what is not sent is sent at the end."""
    made = traces.begin(config(collector.url), "test")
    yield made
    traces.end(made)


def test_off_nothing_is_made_and_no_context_is_kept() -> None:
    assert not TRACES.on
    assert begin("turn", CALLER) is None
    assert TRACE.get() == ""


async def test_off_nobody_asks_the_recorder_whatever_the_caller_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TRACES, "recorder", None, raising=False)
    async with serving(tmp_path) as served:
        headers = served.bearer() | {"traceparent": CALLER}
        answer = await served.http.get("/api/v1/overview", headers=headers)
        assert answer.status_code == 200
        [row] = served.journal.store.rows["main/asha"]
        assert CALLER.encode() not in row.meta


async def test_one_event_is_one_tree_within_its_callers(
    collector: Collector, recording: traces.Recording, tmp_path: Path
) -> None:
    async with serving(tmp_path) as served:
        begun = await served.runtime.pull(0, Pull("g", "", 0, {"main/asha": 0}))
        headers = served.bearer() | {"traceparent": CALLER, "x-request-id": "req-1"}
        body = {"external_id": "T1", "source": "upi", "amount": 19_725, "currency": "INR"}
        answer = await served.http.post("/api/v1/transactions", json=body, headers=headers)
        assert answer.status_code == 201
        pulled = await served.runtime.pull(0, Pull("g", begun.incarnation, begun.cursor, wait_s=5.0))
    traces.end(recording)
    spans = [span for span in collector.trace("4bf92f3577b34da6a3ce929d0e0e4736") if span.name != "deliver"]
    assert tree(spans, "caller") == {
        "POST /transactions": "caller",
        "submit": "POST /transactions",
        "lane wait": "submit",
        "call": "submit",
        "turn": "submit",
        "queue wait": "turn",
        "facts read": "turn",
        "decide": "turn",
        "commit": "turn",
        "feed": "turn",
    }
    by_name = {span.name: span for span in spans}
    assert by_name["POST /transactions"].parent_id == "00f067aa0ba902b7"
    assert by_name["POST /transactions"].attributes == {"status": 201, "request_id": "req-1"}
    assert by_name["turn"].attributes == {"status": "done", "seq": answer.json()["seq"], "request_id": "req-1"}
    assert {frame.trace[36:52] for frame in pulled.frames} == {by_name["turn"].span_id}
    assert all(span.began_ns <= span.ended_ns for span in spans)


async def test_who_does_not_sample_is_followed_too(
    collector: Collector, recording: traces.Recording, tmp_path: Path
) -> None:
    async with serving(tmp_path) as served:
        await served.http.get("/api/v1/overview", headers=served.bearer() | {"traceparent": NOT_SAMPLED})
        assert all(row.meta.count(b"-00f067aa") == 0 for row in served.journal.store.rows["main/asha"])
    traces.end(recording)
    assert collector.spans == []


async def test_of_a_batch_only_the_first_turns_are_recorded() -> None:
    envelopes = [structs.replace(pay("u", f"t{n}"), meta=Meta("a", "user", "r", CALLER)) for n in range(50)]
    kept = some(envelopes)
    assert [envelope.meta.trace for envelope in kept] == [CALLER] * TRACED_OF_A_BATCH_MAX + [""] * 30
    assert [structs.replace(e, meta=Meta("a")) for e in kept] == [structs.replace(e, meta=Meta("a")) for e in envelopes]


async def test_a_turn_of_the_journal_names_the_span_that_made_it(
    collector: Collector, recording: traces.Recording
) -> None:
    journal = MemoryJournal()
    async with running_shard(journal) as shard:
        await shard.submit([structs.replace(pay("u", "t1"), meta=Meta("a", "user", "r", CALLER)), pay("u", "t2")])
    traces.end(recording)
    [turn] = [span for span in collector.spans if span.name == "turn"]
    assert turn.parent_id == "00f067aa0ba902b7"
    kept = [row.meta.find(turn.span_id.encode()) > 0 for row in journal.store.rows["u"]]
    assert kept == [True, True, False]


class Stuck(SpanExporter):
    """An exporter that takes nothing until it may."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.may, self.asked, self.result = Event(), Event(), result

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        assert self.may.wait(30)
        return self.result

    @override
    def shutdown(self) -> None:
        self.may.set()


def record(recording: traces.Recording, count: int) -> None:
    for _ in range(count):
        span = recording.root("x", "")
        assert span is not None
        span.end()


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    stuck = Stuck()
    recording = traces.Recording(stuck, "test", config("http://nobody"))
    record(recording, traces.BATCH_MAX)
    assert stuck.asked.wait(30)
    record(recording, traces.WAITING_MAX + 7)
    assert recording.sending.dropped == 7
    stuck.may.set()
    recording.sending.shutdown()
    assert recording.sending.sent == traces.BATCH_MAX + traces.WAITING_MAX


def test_a_collector_that_refuses_costs_its_spans_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with Collector() as collector:
        collector.refuses = True
        recording = traces.begin(config(collector.url), "test")
        record(recording, 3)
        traces.end(recording)
    assert (recording.sending.sent, recording.sending.failed, collector.spans) == (0, 3, [])
    assert [r.levelname for r in caplog.records if r.levelname in ("WARNING", "ERROR")] == ["WARNING"]


def test_an_exporter_that_raises_does_not_end_the_thread() -> None:
    class Broken(Stuck):
        @override
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if not self.asked.is_set():
                self.asked.set()
                raise OSError("no route")
            return SpanExportResult.SUCCESS

    recording = traces.Recording(Broken(), "test", config("http://nobody"))
    record(recording, traces.BATCH_MAX)
    record(recording, traces.BATCH_MAX)
    recording.sending.shutdown()
    assert recording.sending.failed > 0
    assert recording.sending.sent + recording.sending.failed == 2 * traces.BATCH_MAX


@pytest.mark.usefixtures("recording")
async def test_each_task_is_in_the_trace_of_its_own_request() -> None:
    async def asked() -> str:
        span = root("x")
        await asyncio.sleep(0)
        assert span is not None
        assert TRACE.get() == span.context
        return span.context

    contexts = await asyncio.gather(*(asyncio.create_task(asked()) for _ in range(5)))
    assert len(set(contexts)) == 5
    assert TRACE.get() == ""


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        CALLER.upper(),
        CALLER[:-1],
        CALLER + "0",
        CALLER + "-more",
        "ff" + CALLER[2:],
        "00-" + "0" * 32 + CALLER[35:],
        CALLER[:36] + "0" * 16 + "-01",
    ],
)
def test_what_is_no_traceparent_begins_a_trace_of_its_own(header: str) -> None:
    assert not get_current_span(traces.context_of(header)).get_span_context().is_valid


@pytest.mark.parametrize(
    "header", [CALLER, "cc" + CALLER[2:], "cc" + CALLER[2:] + "-what-comes-later", CALLER[:-2] + "03"]
)
def test_a_traceparent_is_read_of_later_versions_too(header: str) -> None:
    found = get_current_span(traces.context_of(header)).get_span_context()
    assert (f"{found.trace_id:x}", f"{found.span_id:016x}") == (CALLER[3:35], CALLER[36:52])
    assert found.trace_flags == 1


@pytest.mark.parametrize("ratio", [0.0, 0.25])
def test_only_so_many_of_the_requests_are_recorded(ratio: float) -> None:
    recording = traces.Recording(Stuck(), "test", config("http://nobody", ratio))
    sampled = sum(recording.root("x", "") is not None for _ in range(2_000))
    assert ratio * 2_000 * 0.7 <= sampled <= ratio * 2_000 * 1.3
    assert recording.root("x", CALLER) is not None
    recording.sending.shutdown()


@pytest.mark.parametrize("url", ["collector:4318", "ftp://c", "http://", "http://c/?q=1", "http://c d"])
def test_a_collector_is_an_http_address(url: str) -> None:
    with pytest.raises(WrongSetting):
        load({}, {"BOOND_TRACES": url})
    assert load({}, {"BOOND_TRACES": "https://collector:4318/otlp"}).traces == "https://collector:4318/otlp"
