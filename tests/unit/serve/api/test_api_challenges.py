"""The second factor over REST."""

from hashlib import sha256
from pathlib import Path

import msgspec

from engine.commands import Confirm
from tests.support.rest import Rest, serving

RAISE = {"rounding": {"event_cap": 60_000}}


async def ask(rest: Rest) -> str:
    answer = await rest.http.patch("/api/v1/profile", json=RAISE, headers=rest.bearer())
    assert answer.status_code == 202
    assert set(answer.json()) == {"challenge_id", "expires_at"}
    return str(answer.json()["challenge_id"])


async def test_raising_a_cap_waits_for_its_code_and_the_same_code_twice_is_the_same_answer(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        challenge_id = await ask(rest)
        assert (await rest.http.get("/api/v1/profile", headers=rest.bearer())).json()["rounding"]["event_cap"] == 50_000
        body = {"challenge_id": challenge_id, "code": rest.code(challenge_id)}
        first = await rest.http.post("/api/v1/profile/confirm", json=body, headers=rest.bearer())
        second = await rest.http.post("/api/v1/profile/confirm", json=body, headers=rest.bearer())
        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json()["rounding"]["event_cap"] == 60_000
        assert first.content == second.content


async def test_wrong_codes_are_counted_one_by_one_and_each_has_its_status(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        challenge_id = await ask(rest)
        code = rest.code(challenge_id)
        wrong = f"{(int(code) + 1) % 10**6:06}"
        seen = []
        for sent in [wrong] * 5 + [code]:
            body = {"challenge_id": challenge_id, "code": sent}
            answer = await rest.http.post("/api/v1/profile/confirm", json=body, headers=rest.bearer())
            seen.append((answer.status_code, answer.json().get("tries_left")))
        assert seen == [(403, 4), (403, 3), (403, 2), (403, 1), (403, 0), (429, None)]


async def test_expired_is_410_anothers_is_404_and_no_digits_are_422(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        challenge_id = await ask(rest)
        body = {"challenge_id": challenge_id, "code": rest.code(challenge_id)}
        path = "/api/v1/profile/confirm"
        assert (await rest.http.post(path, json=body, headers=rest.bearer("ravi"))).status_code == 404
        refused = await rest.http.post(path, json={**body, "code": "12345"}, headers=rest.bearer())
        assert refused.status_code == 422
        assert refused.json()["errors"] == [{"field": "code", "message": "must be six digits"}]
        rest.clock.advance(300)
        assert (await rest.http.post(path, json=body, headers=rest.bearer())).status_code == 410


async def test_no_hash_in_the_journal_tells_a_code_to_who_tries_them_all(tmp_path: Path) -> None:
    async with serving(tmp_path) as rest:
        challenge_id = await ask(rest)
        code = rest.code(challenge_id)
        body = {"challenge_id": challenge_id, "code": code}
        await rest.http.post("/api/v1/profile/confirm", json=body, headers=rest.bearer())
        row = rest.journal.store.rows["main/asha"][-1]
        guess = msgspec.msgpack.encode(Confirm(challenge_id=challenge_id, proof=code, action="raise_caps"))
        assert row.input_hash != sha256(guess).digest()
        kept = [part for row in rest.journal.store.rows["main/asha"] for part in (row.body, row.meta)]
        assert not any(code.encode() in part for part in kept)
