"""What events of UPI AutoPay do to the state."""

from engine.events import DebitPutOff, DebitSubmitted, MandateEnded, MandateSet
from engine.evolution.handler import Evolve
from engine.state import UserState


def _set(state: UserState, event: MandateSet) -> None:
    state.settlement.mandate = event.mandate


def _ended(state: UserState, event: MandateEnded) -> None:
    del event
    state.settlement.mandate = None


def _changed(state: UserState, event: DebitSubmitted | DebitPutOff) -> None:
    state.settlement.open[event.instruction.instruction_id] = event.instruction


EVOLVE: dict[type, Evolve] = {
    MandateSet: _set,
    MandateEnded: _ended,
    DebitSubmitted: _changed,
    DebitPutOff: _changed,
}
