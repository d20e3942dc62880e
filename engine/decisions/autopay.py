"""Decides mandates, and the steps of a debit under one."""

from typing import Any

from msgspec import structs

from engine.behaviour import Context, Decision, Facts, Refused
from engine.commands import ApplyMandate, EndMandate, ExecuteDebit, OptOut, ReportResult, SetMandate
from engine.decisions.challenges import asked
from engine.decisions.handler import Decide
from engine.events import DebitPutOff, DebitSubmitted, Instruction, MandateEnded, MandateSet, TimerCancelled
from engine.settlement import autopay, sweeps, views_settlement
from engine.settlement.instructions import alert_of, close
from engine.settlement.views_settlement import plain
from engine.state import UserState
from engine.views import Shown


def _set(state: UserState, command: SetMandate, _: Facts, context: Context) -> Decision:
    decision = _apply(state, command, _, context)
    if autopay.needs_code(state.settlement.mandate, command):
        action = ApplyMandate(
            provider=command.provider, cap=command.cap, reference=command.reference, floor=command.floor
        )
        return asked(state, action, context)
    return decision


def _apply(state: UserState, command: SetMandate | ApplyMandate, _: Facts, context: Context) -> Decision:
    mandate = autopay.mandate(state, command, context)
    return Decision([MandateSet(mandate=mandate, at=context.at)], Shown(plain(views_settlement.mandate(mandate))))


def _end(state: UserState, command: EndMandate, _: Facts, context: Context) -> Decision:
    """End the mandate; a debit that the host has not been asked for is off, one that is under way ends as it does."""
    mandate = state.settlement.mandate
    if mandate is None or mandate.mandate_id != command.mandate_id:
        raise Refused("not_found", f"there is no mandate {command.mandate_id!r}")
    events: list[Any] = []
    for one in state.settlement.open.values():
        if one.mandate_id == mandate.mandate_id and not one.submitted:
            events += called_off(one, "mandate_ended", context)
    return Decision([*events, MandateEnded(mandate_id=mandate.mandate_id, at=context.at)], Shown({}))


def called_off(one: Instruction, reason: str, context: Context) -> list[Any]:
    """Return the events of a debit that is not executed: its money accrues again, and no failure is counted."""
    ended = structs.replace(one, status="failed", reason=reason, reported_at=context.at)
    return [close(ended, context), TimerCancelled(timer_id=autopay.timer_id(one))]


def _opt_out(state: UserState, command: OptOut, _: Facts, context: Context) -> Decision:
    one = state.settlement.find(command.instruction_id)
    if one is None or one.mandate_id is None:
        raise Refused("not_found", f"there is no announced debit {command.instruction_id!r}")
    if one.reason == "opted_out":
        return Decision([], Shown(_shown(state, one)))
    if one.status != "open" or one.attempt:
        raise Refused(
            "conflict", "the debit is being executed, or has ended; only one that is announced can be skipped"
        )
    events = called_off(one, "opted_out", context)
    return Decision(events, Shown(_shown(state, events[0].instruction)))


def _execute(state: UserState, command: ExecuteDebit, _: Facts, context: Context) -> Decision:
    one = state.settlement.open.get(command.instruction_id)
    if one is None or one.submitted or one.attempt + 1 != command.attempt:
        return Decision([], Shown())
    mandate = state.settlement.mandate
    over = mandate is not None and one.amount > mandate.cap
    if over or sweeps.under_floor(state, None, one.amount):
        reason = "over_cap" if over else "floor"
        events = called_off(one, reason, context)[:1]
        return Decision([*events, *alert_of(state, autopay.skipped(one, reason), context)], Shown())
    submitted = structs.replace(one, attempt=command.attempt, submitted=True)
    return Decision([DebitSubmitted(instruction=submitted, at=context.at)], Shown())


def put_off(state: UserState, one: Instruction, command: ReportResult, context: Context) -> list[Any] | None:
    """Return the events of a failed execution that is followed by another; None when it is the debit's end.

    A report that comes once more before the next execution finds it put off already, and changes nothing.
    """
    if one.mandate_id is None or command.status != "failed" or not autopay.may_retry(state, one, command.reason):
        return None
    if not one.submitted:
        return []
    due = autopay.after_window(context.at, f"{one.instruction_id}:{one.attempt}")
    later = structs.replace(one, submitted=False, due=due)
    return [DebitPutOff(instruction=later, at=context.at, reason=command.reason), autopay.timer(later)]


def _shown(state: UserState, one: Instruction) -> dict[str, Any]:
    return plain(views_settlement.instruction(one, state.user_id))


DECIDE: dict[type, Decide] = {
    SetMandate: _set,
    ApplyMandate: _apply,
    EndMandate: _end,
    ExecuteDebit: _execute,
    OptOut: _opt_out,
}
