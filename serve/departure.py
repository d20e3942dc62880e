"""What a replica does before Serve ends it: its sockets move first, at a pace, while everything else still works.

Serve 2.60 has no hook for this. It lets uvicorn close all sockets at once (1012), and runs the application's own
clean-up after that. So the replica's own shut-down is wrapped: whoever ends a replica, `boond up`, `serve.delete`, a
redeploy by others, a scale-down, comes through it. So does SIGTERM, at which the process would end on the spot (1006).

Imports Ray Serve: import this only where `up` has set its environment.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from ray._private import worker
from ray.serve._private import replica
from ray.serve.generated import serve_pb2

LAST_WORDS_S = 1.0
"""The longest spread when there is nowhere to move to, because everything stops."""
LEARNT_S = 1.0
"""How long the front door may take to learn of the replica that comes and of the one that goes."""
ASKED_S = 2.0
"""How long Serve's controller may take to say what is going on; after that it counts as gone, like everything else."""
ROOM_S = 20
"""What an end may take beside the spread: the front door, expenses under way, uvicorn's own end."""

Move = Callable[[float], Awaitable[None]]
"""Moves the sockets of this process within so many seconds."""

_GOES = (serve_pb2.APPLICATION_STATUS_DELETING, serve_pb2.APPLICATION_STATUS_NOT_STARTED)

_log = logging.getLogger(__name__)


async def _is_deleted(ending: Any) -> bool:
    """Whether the whole application goes, so that its sockets have nowhere to move to."""
    asked = ending._controller_handle.get_serve_status.remote(ending._deployment_id.app_name)
    try:
        answer = await asyncio.wait_for(asked, ASKED_S)
    except Exception as error:
        _log.info("nobody says why this replica ends: %r", error)
        return True
    return serve_pb2.StatusOverview.FromString(answer).app_status.status in _GOES


async def _move(ending: Any, move: Move, longest_s: float) -> None:
    try:
        if await _is_deleted(ending):
            await move(min(longest_s, LAST_WORDS_S))
        else:
            # Until the front door has learnt of it, a socket that leaves would come back here.
            await asyncio.sleep(LEARNT_S)
            await move(longest_s)
    except Exception:
        _log.exception("the sockets did not move")


def move_first(move: Move, longest_s: float) -> None:
    """Have the replica of this process move its sockets before Serve ends it. Call it in the deployment's constructor.

    `move` is called on the loop of the sockets, once for each request to end.
    """
    end = replica.Replica._perform_graceful_shutdown

    async def move_then_end(ending: Any) -> None:
        await _move(ending, move, longest_s)
        await end(ending)

    replica.Replica._perform_graceful_shutdown = move_then_end


def heed_sigterm(loop: asyncio.AbstractEventLoop, move: Move) -> None:
    """Have SIGTERM move the sockets of this process and then end it, as Ray does at once.

    Ray installs its handler in the main thread, to which we have no way; but what it calls is looked up in its module.
    """
    at_once = worker.raise_sys_exit_with_custom_error_message
    heard = False

    async def move_and_end() -> None:
        try:
            await move(LAST_WORDS_S)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def first_move(message: str, exit_code: int = 0) -> None:
        nonlocal heard
        if heard or "SIGTERM" not in message:
            at_once(message, exit_code)
            return
        heard = True
        asyncio.run_coroutine_threadsafe(move_and_end(), loop)

    worker.raise_sys_exit_with_custom_error_message = first_move
