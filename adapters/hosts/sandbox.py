"""The sandbox host: says that it moved whatever it was asked to move, at once. No money exists.

A payout to a destination that begins with `fail` fails, so that an integrator sees that too. What it gets may come
twice: its report is a command of one id, so the second is the first one's answer.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from engine.behaviour import OutboxMessage
from engine.commands import ReportResult
from engine.settlement import rows_settlement
from engine.settlement.views_settlement import InstructionView

_log = logging.getLogger(__name__)

FAILS = "fail"
REFUSED = "sandbox_refused"

Submit = Callable[[str, str, ReportResult], Awaitable[None]]
"""Carries out a command for an entity: (entity id, command id, command). Raises to be asked again."""


class SandboxHost:
    """Delivers channel `instruction`: only a sandbox tenant's come here, a live one's wait for the host that polls."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    async def deliver(self, message: OutboxMessage) -> None:
        """Report an instruction done. Raises what `submit` does."""
        try:
            order = rows_settlement.decode(message.body)
        except msgspec.DecodeError:
            _log.error("instruction %s of %s is none and is dropped", message.outbox_id, message.entity_id)
            return
        await self._submit(message.entity_id, f"host:{message.outbox_id}", executed(order))


def executed(order: InstructionView) -> ReportResult:
    """Return what the sandbox says of an instruction."""
    refused = order.type == "payout" and (order.destination or "").startswith(FAILS)
    status: Literal["done", "failed"] = "failed" if refused else "done"
    return ReportResult(
        instruction_id=order.instruction_id,
        status=status,
        reference=f"sandbox-{order.instruction_id}",
        reason=REFUSED if refused else None,
    )


async def left_alone(message: OutboxMessage) -> None:
    """Deliver to nobody: the records keep what the message says, and an external host polls `GET /instructions`."""
    _log.debug("%s %s is left to who reads the records", message.channel, message.outbox_id)
