"""Expenses sent over sockets: each answered by a receipt or a problem, before or after its turn is pushed."""

import asyncio
import logging
from collections.abc import Callable

from msgspec import Raw

from actors.cause import REQUEST_ID, about
from actors.runtime import Unavailable
from actors.tracing import TRACES, root
from serve import request_ids
from serve.live.ports import ExpenseRefused, Ports, Principal
from serve.live.protocol import Error, Receipt, ServerFrame, problem

_log = logging.getLogger(__name__)


class Expenses:
    """Carries out expenses in tasks of their own: a client that leaves does not undo what it sent."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, principal: Principal, id_: str, body: bytes, answer: Callable[[ServerFrame], None]) -> None:
        """Carry out one; `answer` is called once, whatever happens."""
        task = asyncio.create_task(self._run(principal, id_, body, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait for those under way."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _run(self, principal: Principal, id_: str, body: bytes, answer: Callable[[ServerFrame], None]) -> None:
        """`id_` is the request id too, if it is fit to be one, so that a client knows the turn of what it sent."""
        REQUEST_ID.set(request_ids.accept(id_))
        measures, clock = self._ports.measures, self._ports.clock
        began, outcome = clock.monotonic(), "refused"
        span = root("socket expense") if TRACES.on else None
        try:
            answered = await self._carry_out(principal, id_, body)
            outcome = "receipt" if isinstance(answered, Receipt) else "refused"
        except ExpenseRefused as refusal:
            answered = Error(id_, refusal.problem)
        except Unavailable as unavailable:
            outcome = "unavailable"
            answered = Error(id_, _unavailable(unavailable.detail, unavailable.retry_after_s))
        except Exception:
            outcome = "failed"
            _log.exception("an expense failed", extra=about(entity=principal.entity_id))
            answered = Error(id_, problem(500, "Internal Server Error", "the expense failed; send it again as it is"))
        answer(answered)
        if span is not None:
            span.end(outcome=outcome, request_id=REQUEST_ID.get())
        _log.debug("expense answered: %s", outcome, extra=about(entity=principal.entity_id))
        measures.expenses.inc(outcome)
        measures.expense_seconds.observe(clock.monotonic() - began)

    async def _carry_out(self, principal: Principal, id_: str, body: bytes) -> ServerFrame:
        outcome = await self._ports.runtime.submit(self._ports.expense(principal, body, REQUEST_ID.get()))
        if outcome.status == "unavailable":
            raise Unavailable("the shard cannot take this now")
        if outcome.body is None:
            return Error(id_, self._ports.problem(outcome))
        return Receipt(id_, Raw(bytes(outcome.body)))


def _unavailable(detail: str, retry_after_s: float) -> dict[str, object]:
    return problem(503, "Service Unavailable", detail, retry_after_s=retry_after_s)
