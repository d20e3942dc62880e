"""Decides withdrawals, sweeps by hand or by timer, and the reports of the host."""

from typing import Any

from engine import profile
from engine.behaviour import Context, Decision, Facts, Refused
from engine.commands import (
    AutoSaving,
    ReportResult,
    RequestWithdrawal,
    SweepDue,
    SweepNow,
    UpdateProfile,
    Withdraw,
)
from engine.decisions.autopay import put_off
from engine.decisions.challenges import asked
from engine.decisions.handler import Decide
from engine.events import Instruction, InstructionIssued, SavingsNetted, SweepPlanned, TimerCancelled
from engine.settlement import autopay, sweeps, views_settlement
from engine.settlement.instructions import (
    accrued,
    alert_of,
    check_withdrawal,
    close,
    failure_alert,
    give_back,
    payout,
    plan,
    reported,
    returned,
    same_report,
    sweep,
)
from engine.settlement.settlement import FAILURES_PAUSE
from engine.state import UserState
from engine.views import Shown


def _request(state: UserState, command: RequestWithdrawal, _: Facts, context: Context) -> Decision:
    check_withdrawal(state, command.jar_id, command.amount, context.at)
    action = Withdraw(jar_id=command.jar_id, amount=command.amount, destination=command.destination)
    return asked(state, action, context)


def _withdraw(state: UserState, command: Withdraw, _: Facts, context: Context) -> Decision:
    issued = payout(state, command, context)
    return Decision([issued], Shown(views_settlement.plain(views_settlement.withdrawal(issued.instruction))))


def _sweep_now(state: UserState, command: SweepNow, _: Facts, context: Context) -> Decision:
    del command
    if not accrued(state, ()):
        raise Refused("conflict", "nothing has accrued that could be settled")
    resume = sweeps.resumed if state.settlement.held else sweep
    events = resume(state, (), context, "user")
    for event in events:
        if isinstance(event, InstructionIssued):
            return Decision(events, Shown(_shown(state, event.instruction)))
    for event in events:
        if isinstance(event, SavingsNetted):
            return Decision(events, Shown(views_settlement.plain(views_settlement.netted(event))))
    raise Refused("conflict", "too many debits wait for the host; come back when one is done")


def _sweep_due(state: UserState, command: SweepDue, _: Facts, context: Context) -> Decision:
    """Sweep what has waited a week; a timer that finds nothing to do only ends the plan."""
    del command
    if state.settlement.planned is None:
        return Decision([], Shown())
    waiting = sum(part.amount for part in accrued(state, ()))
    may = waiting and not state.settlement.held
    swept = sweep(state, (), context, "timer") if may and not sweeps.under_floor(state, None, waiting) else []
    events = [*swept, *give_back(state, swept, context)]
    if (may and not swept) or returned(state, events):
        events += plan(context)
    elif not swept:
        events.append(SweepPlanned())
    return Decision(events, Shown())


def _report(state: UserState, command: ReportResult, _: Facts, context: Context) -> Decision:
    known = state.settlement.find(command.instruction_id)
    if known is None:
        raise Refused("not_found", f"there is no instruction {command.instruction_id!r}")
    attempt = known.attempt if command.attempt is None else command.attempt
    if attempt > known.attempt:
        raise Refused("conflict", f"attempt {attempt} was not asked for; the last is {known.attempt}")
    if attempt < known.attempt and command.status == "failed":
        return Decision([], Shown(_shown(state, known)))
    if known.status != "open":
        if same_report(known, command):
            return Decision([], Shown(_shown(state, known)))
        raise Refused("conflict", f"the instruction ended as {known.status} already", state=known.status)
    after = reported(known, command, context)
    later = put_off(state, known, command, context)
    if later is not None:
        waits = later[0].instruction if later else known
        return Decision(later, Shown(_shown(state, waits)))
    events = _ended(state, after, context)
    return Decision(events, Shown(_shown(state, after)))


def _ended(state: UserState, instruction: Instruction, context: Context) -> list[Any]:
    """Return everything an instruction's end brings with it: the money, what is told, what is paused."""
    failed = instruction.status == "failed"
    counts = failed and instruction.type == "debit"
    events: list[Any] = [close(instruction, context, counts=counts)]
    if instruction.mandate_id is not None and not instruction.submitted:
        events.append(TimerCancelled(timer_id=autopay.timer_id(instruction)))
    if not failed:
        told = instruction.mandate_id is not None
        return events + (alert_of(state, autopay.done_notice(instruction), context) if told else [])
    failures = state.settlement.failures + counts
    paused = (
        counts and failures >= FAILURES_PAUSE and state.profile.saving_state(state.profile.today(context.at)) == "on"
    )
    if paused:
        pause = UpdateProfile(auto_saving=AutoSaving(state="paused"))
        events.append(profile.update(state.profile, pause, context, has_postings=True, has_limits=True))
    return events + alert_of(state, failure_alert(state, instruction, failures, paused=paused), context)


def _shown(state: UserState, instruction: Instruction) -> dict[str, Any]:
    return views_settlement.plain(views_settlement.instruction(instruction, state.user_id))


DECIDE: dict[type, Decide] = {
    RequestWithdrawal: _request,
    Withdraw: _withdraw,
    SweepNow: _sweep_now,
    SweepDue: _sweep_due,
    ReportResult: _report,
}
