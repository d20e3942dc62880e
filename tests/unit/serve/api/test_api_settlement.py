"""Withdrawals and instructions over REST."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.rest import Rest, serving


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    async with serving(tmp_path) as served:
        yield served


async def ask(rest: Rest, line: str, body: Any = None, **who: Any) -> httpx.Response:
    method, path = line.split()
    return await rest.http.request(method, f"/api/v1{path}", json=body, headers=rest.bearer(**who))


async def settled(rest: Rest, amount: int) -> str:
    """Deposit, and report the debit done; return the jar."""
    jar = (await ask(rest, "GET /jars")).json()["items"][0]["jar_id"]
    assert (await ask(rest, f"POST /jars/{jar}/deposit", {"amount": amount})).status_code == 201
    (waiting,) = (await ask(rest, "GET /instructions?status=open")).json()["items"]
    assert (waiting["type"], waiting["amount"], waiting["user_id"]) == ("debit", amount, "asha")
    line = f"POST /instructions/{waiting['instruction_id']}/result?user_id=asha"
    done = await ask(rest, line, {"status": "done", "reference": "UTR1"}, user="wallet", role="service")
    assert (done.status_code, done.json()["status"]) == (200, "done")
    return str(jar)


async def code_of(rest: Rest, jar: str, amount: int) -> dict[str, str]:
    asked = await ask(rest, f"POST /jars/{jar}/withdraw", {"amount": amount})
    assert asked.status_code == 202
    challenge_id = asked.json()["challenge_id"]
    return {"challenge_id": challenge_id, "code": rest.code(challenge_id)}


async def test_money_goes_into_a_jar_and_out_of_it_as_the_host_reports(rest: Rest) -> None:
    jar = await settled(rest, 50_000)
    assert (await ask(rest, f"GET /jars/{jar}")).json()["available"] == 50_000
    confirmed = await ask(rest, f"POST /jars/{jar}/withdraw/confirm", await code_of(rest, jar, 20_000))
    assert confirmed.status_code == 200
    withdrawal = confirmed.json()
    assert {name: withdrawal[name] for name in ("jar_id", "amount", "status")} == {
        "jar_id": jar,
        "amount": 20_000,
        "status": "open",
    }
    shown = (await ask(rest, f"GET /jars/{jar}")).json()
    assert (shown["balance"], shown["reserved"], shown["available"]) == (50_000, 20_000, 30_000)
    line = f"POST /instructions/{withdrawal['withdrawal_id']}/result?user_id=asha"
    await ask(rest, line, {"status": "done"}, user="wallet", role="service")
    shown = (await ask(rest, f"GET /jars/{jar}")).json()
    assert (shown["balance"], shown["reserved"], shown["available"]) == (30_000, 0, 30_000)


async def test_of_two_withdrawals_of_the_last_rupee_exactly_one_wins(rest: Rest) -> None:
    jar = await settled(rest, 50_000)
    codes = [await code_of(rest, jar, 50_000), await code_of(rest, jar, 50_000)]
    line = f"POST /jars/{jar}/withdraw/confirm"
    answers = await asyncio.gather(*(ask(rest, line, code) for code in codes))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    lost = next(answer for answer in answers if answer.status_code == 409)
    assert lost.json()["available"] == 0
    won = next(code for code, answer in zip(codes, answers, strict=True) if answer.status_code == 200)
    assert (await ask(rest, line, won)).status_code == 200


async def test_a_challenge_of_one_jar_confirms_nothing_in_another(rest: Rest) -> None:
    jar = await settled(rest, 50_000)
    other = (await ask(rest, "POST /jars", {"name": "Goa"})).json()["jar_id"]
    code = await code_of(rest, jar, 100)
    assert (await ask(rest, f"POST /jars/{other}/withdraw/confirm", code)).status_code == 404
    assert (await ask(rest, "POST /profile/confirm", code)).status_code == 404


async def test_only_the_host_reports_and_a_second_result_is_a_conflict(rest: Rest) -> None:
    jar = (await ask(rest, "GET /jars")).json()["items"][0]["jar_id"]
    await ask(rest, f"POST /jars/{jar}/deposit", {"amount": 100})
    (waiting,) = (await ask(rest, "GET /instructions")).json()["items"]
    line = f"POST /instructions/{waiting['instruction_id']}/result"
    assert (await ask(rest, line, {"status": "done"})).status_code == 403
    service = {"user": "wallet", "role": "service"}
    for at in ("0001-01-01T00:00:00+05:30", "9999-12-31T23:59:59-05:30", "2026-11-20T09:00:00", "2026-11-22T09:00:00Z"):
        told = await ask(rest, f"{line}?user_id=asha", {"status": "done", "at": at}, **service)
        assert (told.status_code, told.json()["errors"][0]["field"]) == (422, "at"), at
    failed = {"status": "failed", "reason": "insufficient_funds"}
    assert (await ask(rest, f"{line}?user_id=asha", failed, **service)).status_code == 200
    assert (await ask(rest, f"{line}?user_id=asha", failed, **service)).status_code == 200
    assert (await ask(rest, f"{line}?user_id=asha", {"status": "done"}, **service)).status_code == 409
    assert (await ask(rest, f"{line}?user_id=ravi", failed, **service)).status_code == 404
    told = await ask(rest, f"{line}?user_id=asha", {"status": "done", "reason": "why"}, **service)
    assert (told.status_code, told.json()["errors"][0]["field"]) == (422, "reason")
    assert (await ask(rest, "POST /sweeps")).json()["amount"] == 100
    assert (await ask(rest, "POST /sweeps")).status_code == 409


async def test_a_report_names_the_attempt_it_is_of(rest: Rest) -> None:
    jar = (await ask(rest, "GET /jars")).json()["items"][0]["jar_id"]
    await ask(rest, f"POST /jars/{jar}/deposit", {"amount": 100})
    (waiting,) = (await ask(rest, "GET /instructions?status=open")).json()["items"]
    line = f"POST /instructions/{waiting['instruction_id']}/result?user_id=asha"
    host: dict[str, Any] = {"user": "wallet", "role": "service"}
    for attempt, status in ((1, 409), (-1, 422), (2**70, 422)):
        assert (await ask(rest, line, {"status": "done", "attempt": attempt}, **host)).status_code == status
    done = await ask(rest, line, {"status": "done", "attempt": waiting["attempt"]}, **host)
    assert (done.status_code, done.json()["status"]) == (200, "done")


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-11-31", "today"])
async def test_a_day_that_has_no_instructions_is_no_day_to_reconcile(rest: Rest, day: str) -> None:
    for method, body in (("GET", None), ("POST", {"items": []})):
        answer = await ask(rest, f"{method} /reconciliations/{day}", body, user="wallet", role="service")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "date")


async def test_a_sweep_that_refunds_pay_for_is_a_200_without_an_instruction(rest: Rest) -> None:
    await ask(rest, "PATCH /profile", {"sweep_threshold": 100, "auto_saving": {"state": "on"}})
    bought = {"external_id": "A", "source": "upi", "amount": 10_100, "currency": "INR"}
    await ask(rest, "POST /transactions", bought)
    (waiting,) = (await ask(rest, "GET /instructions?status=open")).json()["items"]
    host: dict[str, Any] = {"user": "wallet", "role": "service"}
    line = f"POST /instructions/{waiting['instruction_id']}/result?user_id=asha"
    await ask(rest, line, {"status": "done"}, **host)
    refund = {"external_id": "R", "kind": "refund", "direction": "credit", "original_external_id": "A"}
    assert (await ask(rest, "POST /transactions", {**bought, **refund})).status_code == 201
    await ask(rest, "PATCH /profile", {"sweep_threshold": 100_000})
    await ask(rest, "POST /transactions", {**bought, "external_id": "B", "amount": 10_500})
    swept = await ask(rest, "POST /sweeps")
    assert (swept.status_code, swept.json()["netted"]) == (200, 500)
    assert (await ask(rest, "POST /sweeps")).status_code == 409
