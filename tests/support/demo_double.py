"""A double of the server that keeps the wire contract the demo speaks: just enough REST and the live socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response, get, patch, post, put, websocket
from litestar.connection import WebSocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import HTTPRouteHandler

Json = dict[str, Any]
Asked = Request[Any, Any, Any]


class Ledger:
    """What one user has: jars, budgets, turns; rounds up to ten rupees into the first jar."""

    def __init__(self, email: str) -> None:
        self.email = email
        self.jars: list[Json] = [{"jar_id": "j0", "name": "Savings", "balance": 0}]
        self.budgets: dict[str, int] = {}
        self.turns: list[Json] = []
        self.receipts: dict[str, Json] = {}
        self.bodies: dict[str, Json] = {}
        self.sockets: list[asyncio.Queue[Json | None]] = []

    def record(self, body: Json) -> Json:
        """Return the receipt of a new event, and push its turn."""
        saved = -body["amount"] % 1000
        jar = self.jars[-1]
        jar["balance"] += saved
        receipt = {
            "external_id": body["external_id"],
            "amount": body["amount"],
            "category": "food",
            "confidence": 0.9,
            "rounded_to": body["amount"] + saved,
            "saved_amount": saved,
            "skipped_reason": None if saved else "exact_multiple",
            "jar_postings": [{"jar_id": jar["jar_id"], "amount": saved}] if saved else [],
            "alerts": [],
            "budgets": [{"category": c, "spent": 0, "limit": limit, "percent": 0} for c, limit in self.budgets.items()],
            "transaction": {"direction": body["direction"]},
            "duplicate": False,
        }
        self.receipts[body["external_id"]] = receipt
        self.bodies[body["external_id"]] = body
        turn = {
            "t": "turn",
            "seq": len(self.turns) + 1,
            "at": "",
            "events": [{"type": "transaction_recorded", "data": receipt}],
        }
        self.turns.append(turn)
        for queue in self.sockets:
            queue.put_nowait(turn)
        return receipt


class Double:
    """The server. Each fault happens once, but for the close code.

    `cut_at`: the seq at which the socket is dropped; `lose_at`: the seq that a heartbeat tells of before its turn
    comes; `busy`: how often to answer 503; `close_code`: what every socket is closed with; `expires_in`: seconds of
    a token.
    """

    def __init__(
        self,
        *,
        cut_at: int = 0,
        lose_at: int = 0,
        busy: int = 0,
        close_code: int | None = None,
        expires_in: int = 900,
    ) -> None:
        self.users: dict[str, Ledger] = {}
        self.calls: list[str] = []
        self.resumed: list[int] = []
        self.cut_at = cut_at
        self.lose_at = lose_at
        self.busy = busy
        self.close_code = close_code
        self.expires_in = expires_in

    def app(self) -> Litestar:
        """Return the application with its routes under `/api/v1`."""

        @websocket("/live")
        async def live(socket: WebSocket[Any, Any, Any]) -> None:
            await self._serve(socket)

        return Litestar(
            [*self._accounts(), *self._money(), live], path="/api/v1", openapi_config=None, logging_config=None
        )

    def _tokens(self, email: str) -> Json:
        return {"access_token": email, "expires_in": self.expires_in}

    def _user(self, request: Asked) -> Ledger:
        return self.users[request.headers["authorization"].removeprefix("Bearer ")]

    def _accounts(self) -> list[HTTPRouteHandler]:
        @post("/signup")
        async def signup(request: Asked) -> Response[Json]:
            email = (await request.json())["email"]
            self.calls.append("signup")
            if email in self.users:
                return Response({"title": "taken"}, status_code=409)
            self.users[email] = Ledger(email)
            return Response(self._tokens(email), status_code=201)

        @post("/login", status_code=200)
        async def login(request: Asked) -> Json:
            self.calls.append("login")
            return self._tokens((await request.json())["email"])

        @patch("/profile")
        async def profile(request: Asked) -> Json:
            changed: Json = await request.json()
            return changed

        return [signup, login, profile]

    def _money(self) -> list[HTTPRouteHandler]:
        @get("/jars")
        async def jars(request: Asked) -> Json:
            return {"items": self._user(request).jars, "next_cursor": None}

        @post("/jars")
        async def make_jar(request: Asked) -> Json:
            mine = self._user(request).jars
            mine.append({"jar_id": f"j{len(mine)}", "name": (await request.json())["name"], "balance": 0})
            return mine[-1]

        @get("/budgets")
        async def budgets(request: Asked) -> Json:
            return {"items": [{"category": c, "spent": 0} for c in self._user(request).budgets], "next_cursor": None}

        @put("/budgets/{category:str}")
        async def set_budget(request: Asked) -> Json:
            wanted: Json = await request.json()
            self._user(request).budgets[request.path_params["category"]] = wanted["limit"]
            return wanted

        @post("/transactions")
        async def transact(request: Asked) -> Response[Json]:
            return self._transact(self._user(request), await request.json())

        return [jars, make_jar, budgets, set_budget, transact]

    def _transact(self, mine: Ledger, body: Json) -> Response[Json]:
        if self.busy:
            self.busy -= 1
            return Response({"title": "busy"}, status_code=503, headers={"Retry-After": "0.1"})
        if (known := mine.bodies.get(body["external_id"])) is None:
            return Response(mine.record(body), status_code=201)
        if known != body:
            return Response({"title": "same id, other body"}, status_code=422)
        return Response({**mine.receipts[body["external_id"]], "duplicate": True}, status_code=200)

    async def _serve(self, socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept(subprotocols="boond.v1")
        await socket.send_json({"t": "hello", "heartbeat_s": 25})
        auth = json.loads(await socket.receive_text())
        if self.close_code is not None:
            await socket.close(self.close_code, "no")
            return
        mine = self.users[auth["token"]]
        resume = auth.get("resume")
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        mine.sockets.append(queue)
        await socket.send_json({"t": "ready", "epoch": "e", "head": len(mine.turns), "resumed": resume is not None})
        if resume is not None:
            self.resumed.append(resume["seq"])
            for turn in mine.turns[resume["seq"] :]:
                await socket.send_json(turn)
        else:
            await socket.send_json({"t": "snapshot", "seq": len(mine.turns), "data": {"jars": mine.jars}})
        try:
            await self._push(socket, queue)
        except WebSocketDisconnect:
            return
        finally:
            mine.sockets.remove(queue)

    async def _push(self, socket: WebSocket[Any, Any, Any], queue: asyncio.Queue[Json | None]) -> None:
        while (turn := await queue.get()) is not None:
            if turn["seq"] == self.cut_at:
                self.cut_at = 0
                await socket.close(4200, "moving")
                return
            if turn["seq"] == self.lose_at:
                self.lose_at = 0
                await socket.send_json({"t": "heartbeat", "head": turn["seq"]})
                asked = json.loads(await socket.receive_text())
                self.resumed.append(asked["seq"])
                await socket.send_json(turn)
            await socket.send_json(turn)

    def end_sockets(self) -> None:
        """Let every socket handler return, so that the server can stop."""
        for ledger in self.users.values():
            for queue in ledger.sockets:
                queue.put_nowait(None)


@asynccontextmanager
async def serving(double: Double) -> AsyncIterator[str]:
    """Serve a double on a free loopback port; yields its URL."""
    config = uvicorn.Config(
        double.app(), host="127.0.0.1", port=0, log_level="error", ws="websockets-sansio", lifespan="off"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        double.end_sockets()
        server.should_exit = True
        await task
