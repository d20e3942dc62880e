"""This engine behind the protocol of `tests/conformance/README.md`: `python -m tests.conformance.subject`."""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from engine import money
from engine.accounts.rate_book import DatedRate
from engine.behaviour import Refused, Turn
from engine.commands import Command
from engine.planning.queries_planning import GetSchedules, GetSummaries
from engine.queries import GetAccounts, GetBadges, Query
from tests.support.person import BEHAVIOUR, Person


class Engine:
    """One person at a time; `begin` starts anew."""

    def __init__(self, new: Callable[[], Person] = Person) -> None:
        self._new = new
        self.person = new()
        self._summaries = False

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        match request["do"]:
            case "show":
                return {"text": money.show(request["amount"], request["currency"])}
            case "begin":
                self.person = self._new()
                self._summaries = request.get("summaries", False)
                self.person.outside.book.put(msgspec.convert(request["rates"], list[DatedRate]))
                return {"ids": {}}
            case "step":
                return self._step(request["command"], datetime.fromisoformat(request["at"]))
            case "look":
                return self._look(datetime.fromisoformat(request["at"]))
            case unknown:
                raise ValueError(f"cannot do {unknown!r}")

    def _step(self, fields: dict[str, Any], at: datetime) -> dict[str, Any]:
        if not self._summaries:
            self.person.timers.pop("summary", None)
        rung = self.person.wait(at)
        fired = whole(rung)
        for turn in rung:
            shown(turn)
        if fields["type"] == "wait":
            answer = self.person.answer(rung[-1]) if rung else None
            return {"fired": fired, "events": fired, "answer": answer, "ids": self._ids()}
        try:
            turn = self.person.do(self._command(fields), at)
        except Refused as refused:
            return {"refused": plain(refused), "fired": fired, "ids": self._ids()}
        shown(turn)
        declined = BEHAVIOUR.declined(turn)
        if declined is not None:
            return {"refused": plain(declined), "fired": fired, "ids": self._ids()}
        return {"fired": fired, "events": whole([turn]), "answer": self.person.answer(turn), "ids": self._ids()}

    def _command(self, fields: dict[str, Any]) -> Command:
        if fields["type"] == "confirm":
            code = self.person.outside.codes[-1] if fields["code"] == "right" else fields["code"]
            proof = self.person.outside.digest(fields["challenge_id"], code)
            fields = {key: value for key, value in fields.items() if key != "code"} | {"proof": proof}
        return msgspec.convert(fields, Command)  # type: ignore[no-any-return]

    def _ids(self) -> dict[str, str]:
        """Return what names stand for: jars, accounts and transactions, the last challenge and instruction."""
        state = self.person.state
        ids = {jar.name: jar.jar_id for jar in state.jars.values()}
        ids |= {account.name: account.account_id for account in state.accounts.values()}
        ids |= {schedule.name: schedule.recurring_id for schedule in state.recurring.values()}
        ids |= {view.external_id: view.transaction_id for view in self.person.transactions.values()}
        ids |= {saving.kind: saving.challenge_id for saving in state.saving.running.values()}
        last = {
            "challenge": [*state.challenges.known],
            "instruction": sorted([*state.settlement.open, *state.settlement.finished]),
            "mandate": [state.settlement.mandate.mandate_id] if state.settlement.mandate else [],
        }
        return ids | {name: known[-1] for name, known in last.items() if known}

    def _by_name(self, query: Query, at: datetime) -> dict[str, Any]:
        return {one["name"]: one for one in self.person.ask(query, at)["items"]}

    def _look(self, at: datetime) -> dict[str, Any]:
        state = self.person.state
        return {
            "overview": self.person.overview(at),
            "accounts": self._by_name(GetAccounts(), at),
            "recurring": self._by_name(GetSchedules(), at),
            "summaries": {one["period_start"]: one for one in self.person.ask(GetSummaries(), at)["items"]},
            "badges": {one["badge_id"]: one for one in self.person.ask(GetBadges(), at)["items"]},
            "transactions": {one.external_id: msgspec.to_builtins(one) for one in self.person.transactions.values()},
            "jars": {jar.name: jar.saved for jar in state.jars.values()},
            "balances": state.ledger.balances.get(state.profile.currency, {}),
        }


def shown(turn: Turn) -> None:
    """See that a turn can be pushed, and answered once more, as a resume and a repeat do."""
    json.loads(BEHAVIOUR.push(turn))
    json.loads(BEHAVIOUR.answer(turn, duplicate=True))


def plain(refused: Refused) -> dict[str, Any]:
    """Return a refusal as the protocol shows it."""
    fields = sorted(error.field for error in refused.errors)
    return {"code": refused.code, "fields": fields, "extra": msgspec.to_builtins(refused.extra)}


def whole(turns: list[Turn]) -> list[Any]:
    """Return the events of turns as plain data with their defaults, which the journal's encoding leaves out."""
    return [_whole(event) for turn in turns for event in turn.events]


def _whole(value: Any) -> Any:
    if isinstance(value, Struct):
        tag = value.__struct_config__.tag
        given = ((name, getattr(value, name)) for name in value.__struct_fields__)
        fields = {name: _whole(inner) for name, inner in given if inner is not UNSET}
        return {"event": tag, **fields} if tag else fields
    if isinstance(value, (list, tuple)):
        return [_whole(inner) for inner in value]
    return msgspec.to_builtins(value)


if __name__ == "__main__":
    engine = Engine()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(engine(json.loads(line))) + "\n")
        sys.stdout.flush()
