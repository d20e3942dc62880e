"""One demo user on the REST side: sign up or log in, make ready, send events. Speaks only the public API."""

import asyncio
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from serve.demo.errors import DemoError
from serve.demo.people import PASSWORD, JarWish, Person

_BUSY = (429, 503)
_PATIENCE_S = 60.0
_TEN_RUPEES = 1000


class Account:
    """A person's tokens and calls. Not for concurrent use by several tasks."""

    def __init__(self, client: httpx.AsyncClient, person: Person, run_id: str) -> None:
        self.person = person
        self.token = ""
        self._renew_at = math.inf
        self._client = client
        self._run_id = run_id

    async def enter(self) -> bool:
        """Sign up, or log in where the e-mail is taken. Return whether the account is new."""
        who = {"email": self.person.email, "password": PASSWORD}
        answer = await self._send("POST", "/signup", json={**who, "name": self.person.name, "currency": "INR"})
        is_new = answer.status_code == httpx.codes.CREATED
        if not is_new:
            refusal = _words(answer)
            answer = await self._send("POST", "/login", json=who)
            if answer.status_code != httpx.codes.OK:
                raise DemoError(f"{self.person.email}: sign-up refused ({refusal}), log-in too ({_words(answer)})")
        self._take(answer.json())
        return is_new

    async def fresh_token(self) -> str:
        """Return a token with at least half its life left, logging in again when it has less."""
        if time.monotonic() > self._renew_at:
            who = {"email": self.person.email, "password": PASSWORD}
            self._take((await self._call("POST", "/login", json=who)).json())
        return self.token

    def _take(self, tokens: Mapping[str, Any]) -> None:
        self.token = tokens["access_token"]
        self._renew_at = time.monotonic() + tokens["expires_in"] / 2

    async def make_ready(self, planned: Mapping[str, int]) -> None:
        """Round to ten rupees, have the jars, and budgets that `planned` spending (paise by category) will pass.

        A limit is what is spent already plus six tenths of what is planned, in whole hundreds of rupees.
        """
        await self._call("PATCH", "/profile", json={"rounding": {"unit": _TEN_RUPEES}, "auto_saving": {"state": "on"}})
        have = {jar["name"] for jar in (await self._call("GET", "/jars", params={"limit": 500})).json()["items"]}
        for wish in self.person.jars:
            if wish.name not in have:
                await self._make_jar(wish)
        known = (await self._call("GET", "/budgets", params={"limit": 500})).json()["items"]
        spent = {budget["category"]: budget["spent"] for budget in known}
        for category, amount in planned.items():
            limit = (spent.get(category, 0) + amount * 6 // 10) // 100_00 * 100_00 + 100_00
            await self._call("PUT", f"/budgets/{category}", json={"limit": limit, "period": "monthly"})

    async def post(self, body: Mapping[str, Any]) -> httpx.Response:
        """Send one event; waits and sends again while the server says it is busy."""
        await self.fresh_token()
        return await self._send("POST", "/transactions", json=body)

    async def _make_jar(self, wish: JarWish) -> None:
        await self._call(
            "POST",
            "/jars",
            headers={"Idempotency-Key": f"demo-{self._run_id}-{self.person.key}-{wish.priority}"},
            json={
                "name": wish.name,
                "target_amount": wish.target,
                "deadline": (datetime.now(UTC) + timedelta(days=180)).date().isoformat(),
                "priority": wish.priority,
                "cap_at_target": wish.cap_at_target,
            },
        )

    async def _call(self, method: str, path: str, **kw: Any) -> httpx.Response:
        answer = await self._send(method, path, **kw)
        if not answer.is_success:
            raise DemoError(f"{method} {path}: {_words(answer)}")
        return answer

    async def _send(self, method: str, path: str, **kw: Any) -> httpx.Response:
        """Send; on 429 and 503 wait as `Retry-After` says and send again, for at most a minute."""
        headers = {**kw.pop("headers", {}), **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        give_up = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            answer = await self._client.request(method, path, headers=headers, **kw)
            if answer.status_code not in _BUSY or asyncio.get_running_loop().time() > give_up:
                return answer
            await asyncio.sleep(_retry_after_s(answer))


def _retry_after_s(answer: httpx.Response) -> float:
    said = answer.headers.get("Retry-After", "1")
    return min(10.0, max(0.1, float(said))) if said.replace(".", "", 1).isdigit() else 1.0


def _words(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text[:300]}"
