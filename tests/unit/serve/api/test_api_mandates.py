"""Mandates over REST."""

from pathlib import Path

from tests.support.rest import serving


async def test_a_mandate_is_confirmed_announces_a_debit_that_can_be_skipped_and_ends(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        http, who, base = rest.http, rest.bearer(), "/api/v1"
        wanted = {"provider": "razorpay", "cap": 50_000}
        asked = await http.put(f"{base}/mandates", json=wanted, headers=who)
        assert asked.status_code == 202
        code = {"challenge_id": asked.json()["challenge_id"], "code": rest.code(asked.json()["challenge_id"])}
        assert (await http.post(f"{base}/profile/confirm", json=code, headers=who)).status_code == 404
        confirmed = await http.post(f"{base}/mandates/confirm", json=code, headers=who)
        assert (confirmed.status_code, confirmed.json()["debit_max"]) == (200, 50_000)
        lower = await http.put(f"{base}/mandates", json={**wanted, "cap": 40_000}, headers=who)
        assert (lower.status_code, lower.json()["mandate_id"]) == (200, confirmed.json()["mandate_id"])
        (listed,) = (await http.get(f"{base}/mandates", headers=who)).json()["items"]
        assert listed == lower.json()
        (jar,) = (await http.get(f"{base}/jars", headers=who)).json()["items"]
        await http.post(f"{base}/jars/{jar['jar_id']}/deposit", json={"amount": 100}, headers=who)
        (waiting,) = (await http.get(f"{base}/instructions?status=open", headers=who)).json()["items"]
        assert (waiting["mandate"], waiting["ready"], waiting["attempt"]) == (listed["mandate_id"], False, 0)
        skip = f"{base}/instructions/{waiting['instruction_id']}/opt-out"
        assert (await http.post(skip, headers=rest.bearer("ravi"))).status_code == 404
        assert (await http.post(skip, headers=who)).json()["reason"] == "opted_out"
        assert (await http.delete(f"{base}/mandates/{listed['mandate_id']}", headers=who)).status_code == 204
        assert (await http.delete(f"{base}/mandates/{listed['mandate_id']}", headers=who)).status_code == 404
        assert (await http.get(f"{base}/mandates", headers=who)).json()["items"] == []


async def test_what_a_mandate_lacks_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        answer = await rest.http.put("/api/v1/mandates", json={"provider": "razorpay"}, headers=rest.bearer())
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cap")
