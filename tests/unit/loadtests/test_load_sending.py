import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from loadtests.outcomes import Notebook, read_acks, read_outcomes
from loadtests.reconcile import Ack
from loadtests.sending import IN_FLIGHT_MAX, OpenLoop, Persistent, Till

PROBLEM = {"Content-Type": "application/problem+json", "Retry-After": "0"}


class Answer:
    """A response as Locust gives it."""

    def __init__(self, status_code: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        self.status_code = status_code
        self.headers: Any = headers or {"Content-Type": "application/json"}
        self.content = json.dumps(body).encode()
        self.error = ConnectionResetError()


class Session:
    """Gives the answers it was made with, one a request."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, bytes | None, dict[str, str]]] = []

    def request(self, method: str, path: str, *, data: bytes | None, headers: dict[str, str], name: str) -> Answer:
        self.requests.append((method, path, data, headers))
        return self.answers.pop(0)


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    book = Notebook(tmp_path, measure_from_ns=1_000)
    yield book
    book.close()


def asked(notebook: Notebook, *answers: Answer) -> tuple[Any, Session]:
    session = Session(*answers)
    requests = Persistent(cast("Any", session), "token", notebook, random.Random(1))
    return requests.ask("POST", "/x", b"body", key="k"), session


def test_a_typed_refusal_is_counted_and_the_same_is_sent_again(notebook: Notebook) -> None:
    answer, session = asked(notebook, Answer(503, {}, PROBLEM), Answer(429, {}, PROBLEM), Answer(201, {"seq": 1}))
    assert answer.status_code == 201
    assert len(session.requests) == 3
    assert all(request == session.requests[0] for request in session.requests)
    assert session.requests[0][3]["Idempotency-Key"] == "k"
    assert notebook.outcomes.retryable == {"503": 1, "429": 1}
    assert notebook.outcomes.untyped == 0


@pytest.mark.parametrize(
    "refusal",
    [
        Answer(503, {}, {"Content-Type": "application/problem+json"}),
        Answer(503, {}, {"Content-Type": "text/html", "Retry-After": "1"}),
        Answer(500, {}, PROBLEM),
        Answer(422, {}, PROBLEM),
    ],
)
def test_a_refusal_that_no_client_can_act_on_is_an_error_and_final(notebook: Notebook, refusal: Answer) -> None:
    answer, session = asked(notebook, refusal)
    assert answer is None
    assert (len(session.requests), notebook.outcomes.untyped, notebook.outcomes.retryable) == (1, 1, {})
    assert str(refusal.status_code) in notebook.outcomes.examples[0]


def test_a_broken_line_is_counted_by_its_name(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtests.sending._LINE_S", 0.0)
    answer, _ = asked(notebook, Answer(0), Answer(200, {}))
    assert answer.status_code == 200
    assert notebook.outcomes.line_errors == {"ConnectionResetError": 1}


def test_patience_ends(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtests.sending.PATIENCE_S", -1.0)
    answer, _ = asked(notebook, Answer(503, {}, PROBLEM))
    assert answer is None
    assert notebook.outcomes.gave_up == 1


def receipt(name: str, seq: int, *, duplicate: bool = False) -> dict[str, Any]:
    return {"external_id": name, "user_id": "asha", "seq": seq, "duplicate": duplicate, "effect": "recorded"}


def test_a_batch_acknowledges_each_once_also_when_part_of_it_is_sent_again(notebook: Notebook, tmp_path: Path) -> None:
    till, done = Till(notebook), set[str]()
    unavailable = {"type": "/problems/unavailable", "status": 503, "title": "Unavailable"}
    first = Answer(200, {"results": [receipt("a", 1), unavailable]})
    second = Answer(200, {"results": [receipt("a", 1, duplicate=True), receipt("b", 2)]})
    assert till.take_batch(first, done, again=False)
    assert not till.take_batch(second, done, again=False)
    notebook.close()
    assert read_acks(tmp_path) == [Ack("asha", 1, "a"), Ack("asha", 2, "b")]
    assert read_outcomes(tmp_path).retryable == {"503": 1}


def test_what_is_sent_again_must_be_known_as_a_duplicate(notebook: Notebook) -> None:
    till = Till(notebook)
    till.take_batch(Answer(200, {"results": [receipt("a", 1, duplicate=True)]}), {"a"}, again=True)
    till.take_one(Answer(201, receipt("b", 3)), again=True)
    assert (notebook.outcomes.duplicates, notebook.outcomes.duplicates_missed) == (1, 1)
    assert notebook.outcomes.acknowledged == 0


def test_a_problem_inside_a_batch_is_an_error(notebook: Notebook) -> None:
    refused = {"results": [{"type": "/problems/invalid", "status": 422, "title": "Invalid", "detail": "amount"}]}
    assert not Till(notebook).take_batch(Answer(200, refused), set(), again=False)
    assert "amount" in notebook.outcomes.examples[0]


def test_times_run_from_when_it_was_due_and_leave_out_the_warm_up(notebook: Notebook) -> None:
    notebook.took("single", 999, 5_000_000)
    notebook.took("single", 1_000, 3_001_000)
    assert notebook.outcomes.latency["single"].figures()["max_ms"] == 3.0


def send_all(notebook: Notebook, due: range) -> list[int]:
    """Run an open loop over due moments, two events each; return what was started."""
    started: list[int] = []

    def send(due_ns: int, made: list[dict[str, Any]]) -> None:
        assert len(made) == 2
        started.append(due_ns)

    OpenLoop(notebook).run(due, lambda due_ns: [{"n": due_ns}] * 2, send)
    return started


def test_an_open_loop_starts_what_is_due_and_says_what_it_could_not(notebook: Notebook) -> None:
    assert send_all(notebook, range(5)) == [0, 1, 2, 3, 4]
    assert (notebook.outcomes.due, notebook.outcomes.sent) == (10, 10)


def test_too_much_in_flight_is_not_sent_and_shows(notebook: Notebook) -> None:
    assert len(send_all(notebook, range(IN_FLIGHT_MAX + 7))) == IN_FLIGHT_MAX
    assert (notebook.outcomes.due, notebook.outcomes.sent) == (2 * IN_FLIGHT_MAX + 14, 2 * IN_FLIGHT_MAX)
