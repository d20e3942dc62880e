"""Decides commands on reports that belong together, and on payments that wait for a rate."""

from engine.accounts import matching, merging, rate_arrivals
from engine.behaviour import Context, Decision, Facts
from engine.commands import ApplyRate, MatchTransfer, MergeDuplicate, RejectDuplicate, RejectTransfer
from engine.decisions.handler import Decide
from engine.evolution import evolve
from engine.state import UserState


def _match(state: UserState, command: MatchTransfer, facts: Facts, context: Context) -> Decision:
    return matching.match(state, command, facts, context, evolve)


def _unmatch(state: UserState, command: RejectTransfer, facts: Facts, context: Context) -> Decision:
    return matching.reject(state, command, facts, context, evolve)


def _merge(state: UserState, command: MergeDuplicate, facts: Facts, context: Context) -> Decision:
    return merging.merge(state, command, facts, context, evolve)


def _unmerge(state: UserState, command: RejectDuplicate, facts: Facts, context: Context) -> Decision:
    return merging.reject(state, command, facts, context, evolve)


def _apply_rate(state: UserState, command: ApplyRate, facts: Facts, context: Context) -> Decision:
    return rate_arrivals.apply(state, command, facts, context, evolve)


DECIDE: dict[type, Decide] = {
    MatchTransfer: _match,
    RejectTransfer: _unmatch,
    MergeDuplicate: _merge,
    RejectDuplicate: _unmerge,
    ApplyRate: _apply_rate,
}
