"""A shard in a plain process, told by lines on stdin: what a test stops, continues and kills.

Run: python -m tests.support.shard_process <postgres-url> <first command number>. Prints `term N`, then for every line
of input submits that many payments of user "main/u" and prints the outcomes, one status a line; for `read` the status
and the answer of a query. `fenced` when it is.
"""

import asyncio
import os
import sys

from actors.host import HostConfig, make_shard
from tests.support.counter import balance, pay

FENCED_EXIT = 71


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _fenced() -> None:
    _say("fenced")
    os._exit(FENCED_EXIT)


async def main(url: str, first: int) -> None:
    """Serve until stdin ends."""
    config = HostConfig(url, "test", 1, behaviour="tests.support.counter:BEHAVIOUR")
    shard = make_shard(config, 0, _fenced)
    await shard.start()
    _say(f"term {shard.stats().term}")
    number = first
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip() == "read":
            [read] = await shard.submit([balance("main/u")])
            _say(f"{read.status} {bytes(read.body or b'').decode()}".strip())
            continue
        envelopes = [pay("main/u", f"t{number + i}") for i in range(int(line))]
        number += len(envelopes)
        for outcome in await shard.submit(envelopes):
            _say(outcome.status)
    await shard.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
