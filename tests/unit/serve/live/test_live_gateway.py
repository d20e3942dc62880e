import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from actors.messages import Envelope, Outcome, Problem
from serve.live.gateway import Gateway
from serve.live.limits import Limits
from tests.support.live_socket import EPOCH, Client, ports
from tests.support.manual_clock import ManualClock, settle
from tests.support.memory_runtime import MemoryRuntime

ASHA = "main/asha"
LIMITS = Limits(queue_frames_max=64, history_frames_max=10, close_s=0.05)


@pytest.fixture
async def gateway(runtime: MemoryRuntime, clock: ManualClock) -> AsyncIterator[Gateway]:
    gateway = Gateway(ports(runtime, clock), LIMITS, "gateway-1")
    yield gateway
    await gateway.close()


async def entered(gateway: Gateway, seq: int | None = None, user: str = "asha", epoch: str = EPOCH) -> Client:
    client = Client(gateway)
    await settle()
    await client.auth(f"{user}@3600", seq, epoch)
    return client


def kinds(client: Client) -> list[str]:
    return [f["t"] for f in client.frames]


async def test_a_new_user_is_opened_and_gets_a_snapshot_then_what_follows(
    gateway: Gateway, runtime: MemoryRuntime
) -> None:
    client = await entered(gateway)
    assert kinds(client) == ["hello", "ready", "snapshot"]
    assert client.frames[1] == {"t": "ready", "epoch": EPOCH, "head": 0, "resumed": False}
    assert client.frames[2] == {"t": "snapshot", "seq": 1, "data": {"seq": 1, "jars": []}}
    runtime.commit(ASHA)
    await settle()
    assert client.seqs == [2], "the turn that opened the user is in the snapshot"


async def test_resume_sends_what_was_missed_then_what_comes(gateway: Gateway, runtime: MemoryRuntime) -> None:
    for _ in range(35):
        runtime.commit(ASHA)
    client = await entered(gateway, seq=5)
    assert client.frames[1] == {"t": "ready", "epoch": EPOCH, "head": 35, "resumed": True}
    runtime.commit(ASHA)
    await settle()
    assert client.seqs == list(range(6, 37))
    assert "snapshot" not in kinds(client)
    assert max(limit for _, _, limit in runtime.history_calls) == 10


async def test_a_client_may_ask_for_the_travel_apps_names_in_history_and_live(
    gateway: Gateway, runtime: MemoryRuntime
) -> None:
    runtime.commit(ASHA, event="budget_exceeded")
    client, ours = Client(gateway), await entered(gateway, seq=0)
    await settle()
    resume = {"epoch": EPOCH, "seq": 0}
    await client.say({"t": "auth", "token": "asha@3600", "resume": resume, "names": "jatour"})
    runtime.commit(ASHA, event="budget_exceeded")
    await settle()
    assert [turn["events"][0]["type"] for turn in client.of("turn")] == ["budget_threshold", "budget_threshold"]
    assert [turn["events"][0]["type"] for turn in ours.of("turn")] == ["budget_exceeded", "budget_exceeded"]


async def test_before_the_first_turn_is_a_position(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway, seq=0)
    assert client.frames[1]["resumed"] is True
    runtime.commit(ASHA)
    await settle()
    assert client.seqs == [1]


@pytest.mark.parametrize(("seq", "epoch"), [(2, "another"), (4, EPOCH), (-1, EPOCH), (10**30, EPOCH)])
async def test_a_position_that_is_not_ours_is_reset(
    gateway: Gateway, runtime: MemoryRuntime, seq: int, epoch: str
) -> None:
    for _ in range(3):
        runtime.commit(ASHA)
    client = await entered(gateway, seq=seq, epoch=epoch)
    assert kinds(client) == ["hello", "ready", "reset", "snapshot"]
    assert client.frames[1]["resumed"] is False
    assert client.frames[2]["head"] == 3
    runtime.commit(ASHA)
    await settle()
    assert client.seqs == [4]


async def test_history_that_is_gone_is_a_reset_not_a_gap(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    for _ in range(6):
        runtime.commit(ASHA)
    del runtime.journal[ASHA][:3]
    client = await entered(gateway, seq=1)
    await clock.advance(1.0)
    assert kinds(client)[:4] == ["hello", "ready", "reset", "snapshot"]
    assert client.frames[1]["resumed"] is False


async def test_turns_committed_while_history_is_read_come_after_it(gateway: Gateway, runtime: MemoryRuntime) -> None:
    runtime.commit(ASHA)
    runtime.gate.clear()
    client = await entered(gateway, seq=0)
    for _ in range(3):
        runtime.commit(ASHA)
    await settle()
    assert client.seqs == []
    runtime.gate.set()
    await settle()
    assert client.seqs == [1, 2, 3, 4]


async def test_every_socket_of_a_user_gets_every_turn(gateway: Gateway, runtime: MemoryRuntime) -> None:
    one, two = await entered(gateway, seq=0), await entered(gateway, seq=0)
    other = await entered(gateway, seq=0, user="ravi")
    for _ in range(3):
        runtime.commit(ASHA)
        await settle()
    assert one.seqs == two.seqs == [1, 2, 3]
    assert other.seqs == []
    await one.leave()
    runtime.commit(ASHA)
    await settle()
    assert two.seqs == [1, 2, 3, 4]


async def test_the_last_socket_of_a_user_ends_the_subscription(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway, seq=0)
    assert (runtime.subscribers(ASHA), gateway.users) == (1, 1)
    await client.leave()
    assert (runtime.subscribers(ASHA), gateway.users, gateway.sockets) == (0, 0, 0)


async def test_coming_back_at_once_is_subscribed(gateway: Gateway, runtime: MemoryRuntime) -> None:
    first = await entered(gateway, seq=0)
    first.task.cancel()
    again = await entered(gateway, seq=0)
    runtime.commit(ASHA)
    await settle()
    assert (runtime.subscribers(ASHA), again.seqs) == (1, [1])


async def test_a_shard_that_dies_before_its_feed_spoke_loses_no_turn(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    client = await entered(gateway, seq=0)
    runtime.commit(ASHA)
    await settle()
    home = runtime.shard_of(ASHA)
    runtime.commit(ASHA, fed=False)
    runtime.restart(home, down=True)
    await clock.advance(5.0)
    assert client.code is None
    runtime.revive(home)
    await clock.advance(5.0)
    assert client.seqs == [1, 2], "a quiet user must not wait for the next turn to get the missed one"
    runtime.commit(ASHA)
    await settle()
    assert client.seqs == [1, 2, 3]


async def test_a_subscription_lost_without_a_word_is_found_by_the_recheck(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    client = await entered(gateway, seq=0)
    runtime.forget_gateways()
    runtime.commit(ASHA)
    await clock.advance(LIMITS.recheck_s + LIMITS.pull_wait_s + 1.0)
    assert client.seqs == [1]
    runtime.commit(ASHA)
    await settle()
    assert client.seqs == [1, 2]


async def test_a_pull_that_reaches_a_restarted_shard_late_takes_nobody_away(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    runtime.delayed = late = asyncio.Event()
    client = await entered(gateway, seq=0)  # its waiting pull is under way, and will be for long
    runtime.restart(runtime.shard_of(ASHA))
    neighbour = next(u for u in "abcdefgh" if runtime.shard_of(f"main/{u}") == runtime.shard_of(ASHA))
    await entered(gateway, user=neighbour)
    assert runtime.subscribers(ASHA) == 1
    late.set()
    await clock.advance(1.0)
    runtime.commit(ASHA)
    await settle()
    assert client.seqs == [1]


async def test_a_gateway_behind_the_ring_reads_the_journal(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway, seq=0)
    for _ in range(30):  # the ring holds 8
        runtime.commit(ASHA)
    await settle()
    assert client.seqs == list(range(1, 31))


async def test_a_socket_opened_while_the_shard_is_down_waits_for_it(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    home = runtime.shard_of(ASHA)
    runtime.restart(home, down=True)
    client = await entered(gateway)
    await clock.advance(3.0)
    assert kinds(client) == ["hello"]
    runtime.revive(home)
    await clock.advance(3.0)
    assert kinds(client) == ["hello", "ready", "snapshot"]


async def test_heartbeats_carry_the_head(gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock) -> None:
    client = await entered(gateway, seq=0)
    runtime.commit(ASHA)
    await clock.advance(26.0)
    assert client.frames[-1] == {"t": "heartbeat", "head": 1}


async def test_a_heartbeat_never_overtakes_queued_turns(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    client = await entered(gateway, seq=0)
    await clock.advance(24.0)
    client.wire.pause()
    for _ in range(3):
        runtime.commit(ASHA)
        await settle()
    await clock.advance(2.0)
    client.wire.unpause()
    await settle()
    assert [f.get("seq", f.get("head")) for f in client.frames[-4:]] == [1, 2, 3, 3]
    assert kinds(client)[-1] == "heartbeat"


async def test_a_heartbeat_speaks_only_of_what_was_sent_while_history_is_still_read(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    client = await entered(gateway, seq=0)
    runtime.commit(ASHA)
    await clock.advance(20.0)
    runtime.gate.clear()
    runtime.commit(ASHA, fed=False)
    runtime.commit(ASHA)
    await clock.advance(6.0)
    assert client.frames[-1] == {"t": "heartbeat", "head": 1}
    await client.say({"t": "resume", "seq": 0})
    await clock.advance(25.0)
    assert client.frames[-1] == {"t": "heartbeat", "head": 0}, "nobody asks again for what is on its way"
    runtime.gate.set()
    await clock.advance(25.0)
    assert client.seqs == [1, 1, 2, 3]
    assert client.frames[-1] == {"t": "heartbeat", "head": 3}


async def test_a_ticket_opens_one_socket(gateway: Gateway) -> None:
    first, second = Client(gateway), Client(gateway)
    for client in (first, second):
        await client.say({"t": "auth", "ticket": "ticket:asha@3600"})
    assert kinds(first) == ["hello", "ready", "snapshot"]
    assert second.code == 4001


async def test_what_comes_behind_a_ticket_waits_for_its_check(gateway: Gateway) -> None:
    client = Client(gateway)
    client.wire.type({"t": "auth", "ticket": "ticket:asha@3600", "resume": {"epoch": EPOCH, "seq": 0}})
    await client.say({"t": "expense", "id": "c1", "data": {"external_id": "T1"}})
    assert (client.code, [r["id"] for r in client.of("receipt")]) == (None, ["c1"])


async def test_a_ticket_that_nobody_can_check_now_is_to_be_retried(gateway: Gateway, clock: ManualClock) -> None:
    away, never = Client(gateway), Client(gateway)
    await away.say({"t": "auth", "ticket": "away"})
    await never.say({"t": "auth", "ticket": "never"})
    assert (away.code, never.code) == (1011, None)
    await clock.advance(LIMITS.redeem_s + 1.0)
    assert never.code == 1011
    assert gateway.sockets == 0


async def test_acks_are_noted_and_one_beyond_the_head_is_4008(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    client = await entered(gateway, seq=0)
    (connection,) = gateway._connections
    await client.say({"t": "ack", "seq": 0})
    for _ in range(3):
        runtime.commit(ASHA)
    await clock.advance(2.0)
    assert connection.acks.unacknowledged(connection.delivery.position) == 3
    await client.say({"t": "ack", "seq": 2})
    await client.say({"t": "ack", "seq": 1})
    assert (connection.acks.acked, client.code) == (2, None)
    await client.say({"t": "ack", "seq": 4})
    assert client.code == 4008


async def test_resume_in_place_sends_again_what_follows(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway, seq=0)
    for _ in range(4):
        runtime.commit(ASHA)
    await settle()
    await client.say({"t": "resume", "seq": 2})
    runtime.commit(ASHA)
    await settle()
    assert client.seqs == [1, 2, 3, 4, 3, 4, 5]
    await client.say({"t": "resume", "seq": 99})
    assert kinds(client)[-2:] == ["reset", "snapshot"]


async def test_a_gap_in_the_feed_does_not_undo_a_resume_under_way(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway, seq=0)
    for _ in range(3):
        runtime.commit(ASHA)
    await settle()
    runtime.head_gate.clear()
    await client.say({"t": "resume", "seq": 1})
    runtime.commit(ASHA, fed=False)
    runtime.commit(ASHA)
    await settle()
    runtime.head_gate.set()
    await settle()
    assert client.seqs == [1, 2, 3, 2, 3, 4, 5]


async def test_ready_is_not_said_before_the_feed_is_subscribed(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    runtime.deaf = True
    client = await entered(gateway, seq=0)
    await clock.advance(3.0)
    runtime.commit(ASHA)
    assert kinds(client) == ["hello"]
    runtime.deaf = False
    await clock.advance(3.0)
    assert client.of("ready")[0]["head"] == 1
    assert client.seqs == [1]


async def test_what_was_queued_goes_out_before_the_close(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway, seq=0)
    client.wire.pause()
    for _ in range(3):
        runtime.commit(ASHA)
        await settle()
    await client.say("garbage")
    runtime.commit(ASHA)
    await settle()
    client.wire.unpause()
    await settle()
    assert (client.seqs, client.code) == ([1, 2, 3], 4008)


async def test_an_expense_is_answered_and_pushed(gateway: Gateway) -> None:
    client = await entered(gateway, seq=0)
    await client.say({"t": "expense", "id": "c1", "data": {"external_id": "T1"}})
    assert client.of("receipt") == [{"t": "receipt", "id": "c1", "data": {"seq": 1, "external_id": "T1"}}]
    assert client.seqs == [1]


async def test_the_turn_of_an_expense_says_which_frame_caused_it(gateway: Gateway) -> None:
    client = await entered(gateway, seq=0)
    for id_, external_id in (("c1", "T1"), ("no request id", "T2")):
        await client.say({"t": "expense", "id": id_, "data": {"external_id": external_id}})
    named, fresh = (turn["request_id"] for turn in client.of("turn"))
    assert named == "c1"
    assert re.fullmatch(r"[0-9a-f]{16}", fresh)


async def test_a_refused_expense_is_answered_with_its_problem(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway, seq=0)
    await client.say({"t": "expense", "id": "c1", "data": {"amount": 1}})
    runtime.refuse = lambda _: Problem("conflict", "no jar")
    await client.say({"t": "expense", "id": "c2", "data": {"external_id": "T2"}})
    runtime.restart(runtime.shard_of(ASHA), down=True)
    await client.say({"t": "expense", "id": "c3", "data": {"external_id": "T3"}})
    assert [(e["id"], e["problem"]["status"]) for e in client.of("error")] == [("c1", 422), ("c2", 409), ("c3", 503)]
    assert client.code is None


async def test_an_expense_outlives_the_socket_that_sent_it(gateway: Gateway, runtime: MemoryRuntime) -> None:
    client = await entered(gateway, seq=0)
    client.wire.type({"t": "expense", "id": "c1", "data": {"external_id": "T1"}})
    client.wire.type(None)
    await settle()
    assert client.task.done()
    assert len(runtime.journal[ASHA]) == 1


async def test_a_socket_that_stops_reading_is_closed_and_blocks_nobody(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    slow, brisk = await entered(gateway, seq=0), await entered(gateway, seq=0)
    slow.wire.pause()
    for _ in range(LIMITS.queue_frames_max + 2):
        runtime.commit(ASHA)
        await settle()
    assert brisk.seqs == list(range(1, LIMITS.queue_frames_max + 3))
    slow.wire.unpause()
    await settle()
    assert slow.code == 4108
    again = await entered(gateway, seq=slow.seqs[-1] if slow.seqs else 0)
    assert (slow.seqs + again.seqs) == brisk.seqs


async def test_a_stalled_send_is_closed_without_an_overflow(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    client = await entered(gateway, seq=0)
    client.wire.pause()
    runtime.commit(ASHA)
    await clock.advance(LIMITS.stall_s + 1.0)
    client.wire.unpause()
    await settle()
    assert client.code == 4108


async def test_a_replay_keeps_the_pace_of_its_reader(gateway: Gateway, runtime: MemoryRuntime) -> None:
    for _ in range(500):
        runtime.commit(ASHA)
    client = await entered(gateway, seq=500)
    client.wire.pause()
    await client.say({"t": "resume", "seq": 0})
    assert max(after for _, after, _ in runtime.history_calls) <= LIMITS.queue_frames_max
    client.wire.unpause()
    await settle(1500)
    assert client.seqs == list(range(1, 501))
    assert client.code is None


async def test_a_sixth_socket_of_a_user_is_4129(gateway: Gateway) -> None:
    clients = [await entered(gateway) for _ in range(6)]
    assert [c.code for c in clients] == [None] * 5 + [4129]
    assert (await entered(gateway, user="ravi")).code is None


async def test_a_full_process_is_4129_before_hello(runtime: MemoryRuntime, clock: ManualClock) -> None:
    gateway = Gateway(ports(runtime, clock), Limits(sockets_max=1))
    one, two = await entered(gateway), await entered(gateway, user="ravi")
    assert (one.code, two.code, two.frames) == (None, 4129, [])
    await gateway.close()


async def test_a_late_auth_is_4001(gateway: Gateway, clock: ManualClock) -> None:
    client = Client(gateway)
    await clock.advance(6.0)
    assert client.code == 4001


async def test_a_token_that_ends_closes_the_socket_unless_renewed(gateway: Gateway, clock: ManualClock) -> None:
    ends, renews = Client(gateway), Client(gateway)
    await settle()
    await ends.auth("asha@100")
    await renews.auth("asha@100")
    await clock.advance(45.0)
    assert len(ends.of("expiring")) == 1
    await renews.auth("asha@100")
    await clock.advance(60.0)
    assert (ends.code, renews.code) == (4001, None)
    assert [r["resumed"] for r in renews.of("ready")] == [False, True]


async def test_another_user_on_the_same_socket_is_4003(gateway: Gateway) -> None:
    client = await entered(gateway)
    await client.auth("ravi@3600")
    assert client.code == 4003


@pytest.mark.parametrize(("refused", "code"), [("forbidden", 4003), ("not_found", 4003), ("poison", 1011)])
async def test_an_overview_that_is_refused_closes_the_socket(
    gateway: Gateway, runtime: MemoryRuntime, refused: str, code: int
) -> None:
    runtime.refuse = lambda _: Problem(refused, "erased")
    assert (await entered(gateway)).code == code, "what is our fault is worth another try"


async def test_moving_tells_every_client_and_takes_no_more(runtime: MemoryRuntime, clock: ManualClock) -> None:
    gateway = Gateway(ports(runtime, clock), LIMITS)
    clients = [await entered(gateway, user=user) for user in ("asha", "ravi", "mina")]
    await gateway.close()
    late = await entered(gateway)
    assert [c.code for c in (*clients, late)] == [4200] * 4
    assert gateway.sockets == 0


async def test_a_close_that_fails_ends_the_socket_all_the_same(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await entered(gateway)

    async def close(_code: int, _reason: str) -> None:
        raise RuntimeError("the server has closed it already")

    monkeypatch.setattr(client.wire, "close", close)
    await client.say("no frame")
    assert client.task.done()
    assert gateway.sockets == 0


async def test_users_who_come_and_go_while_a_shard_is_down_are_not_all_remembered(
    runtime: MemoryRuntime, clock: ManualClock
) -> None:
    gateway = Gateway(ports(runtime, clock), Limits(subscriptions_per_pull_max=4, departures_max=8))
    stays = await entered(gateway, seq=0)
    home = runtime.shard_of(ASHA)
    runtime.deaf = True
    visitors = [user for user in (f"u{n}" for n in range(60)) if runtime.shard_of(f"main/{user}") == home]
    for user in visitors:
        client = await entered(gateway, seq=0, user=user)
        await client.leave()
    runtime.pulls.clear()
    runtime.deaf = False
    await clock.advance(5.0)
    runtime.commit(ASHA)
    await settle()
    assert stays.seqs == [1]
    assert len(visitors) > 8
    assert max(len(pull.unsubscribe) for pull in runtime.pulls) <= 4
    assert not gateway._subscriptions._feeds[home]._dropped
    assert [runtime.subscribers(f"main/{user}") for user in ("asha", *visitors)] == [1] + [0] * len(visitors)
    await gateway.close()


async def test_a_journal_that_lost_its_end_resets_a_socket_once_and_then_goes_on(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock
) -> None:
    for _ in range(10):
        runtime.commit(ASHA)
    client = await entered(gateway, seq=10)
    del runtime.journal[ASHA][5:]
    await client.say({"t": "resume", "seq": 5})
    for _ in range(100):
        await clock.advance(0.1)
    assert kinds(client)[2:] == ["reset", "snapshot"]
    assert client.of("snapshot")[0]["seq"] == 5
    for _ in range(8):
        runtime.commit(ASHA)
        await settle()
    assert client.seqs == [6, 7, 8, 9, 10, 11, 12, 13]


async def test_a_turn_that_overtakes_the_snapshot_of_such_a_reset_is_not_left_out(
    gateway: Gateway, runtime: MemoryRuntime, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        runtime.commit(ASHA)
    client = await entered(gateway, seq=10)
    del runtime.journal[ASHA][5:]
    read, late = runtime.submit, [6]

    async def submit(envelope: Envelope) -> Outcome:
        outcome = await read(envelope)
        if late:
            runtime.commit(ASHA)
            late.pop()
            await settle()
        return outcome

    monkeypatch.setattr(runtime, "submit", submit)
    await client.say({"t": "resume", "seq": 5})
    for _ in range(40):
        await clock.advance(0.1)
    told = [(f["t"], f.get("seq")) for f in client.frames[2:]]
    assert told == [("reset", None), ("snapshot", 5), ("turn", 6), ("reset", None), ("snapshot", 6)]
