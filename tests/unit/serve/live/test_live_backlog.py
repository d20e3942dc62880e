from serve.live.backlog import Backlog, Kind
from serve.live.limits import Limits

SMALL = Limits(queue_frames_max=4, queue_chars_max=100)
BEAT, SNAPSHOT, TURN, EVENT = Kind.HEARTBEAT, Kind.SNAPSHOT, Kind.TURN, Kind.EVENT


def offer(backlog: Backlog, *frames: tuple[Kind, str]) -> list[bool]:
    return [backlog.offer(text, kind) for kind, text in frames]


def taken(backlog: Backlog) -> list[str]:
    return [backlog.pop() for _ in range(len(backlog))]


def test_one_text_of_any_size_fits_and_a_second_does_not() -> None:
    backlog = Backlog(SMALL)
    assert backlog.offer("x" * 500)
    assert not backlog.offer("x")
    assert taken(backlog) == ["x" * 500]
    assert backlog.offer("x")


def test_the_newest_heartbeat_waits_alone_and_behind_what_it_speaks_of() -> None:
    backlog = Backlog(SMALL)
    assert all(offer(backlog, (BEAT, "old"), (TURN, "turn"), (BEAT, "new")))
    assert taken(backlog) == ["turn", "new"]


def test_a_heartbeat_without_room_is_left_out_and_ends_nothing() -> None:
    backlog = Backlog(SMALL)
    assert all(offer(backlog, *[(TURN, "turn")] * 4, (BEAT, "beat")))
    assert taken(backlog) == ["turn"] * 4


def test_a_newer_snapshot_replaces_one_that_nothing_was_built_on() -> None:
    backlog = Backlog(SMALL)
    assert all(offer(backlog, (EVENT, "reset"), (SNAPSHOT, "old"), (EVENT, "reset"), (SNAPSHOT, "new")))
    assert taken(backlog) == ["reset", "reset", "new"]


def test_a_snapshot_that_turns_were_built_on_stays() -> None:
    backlog = Backlog(SMALL)
    assert all(offer(backlog, (SNAPSHOT, "old"), (TURN, "turn"), (EVENT, "reset"), (SNAPSHOT, "new")))
    assert taken(backlog) == ["old", "turn", "reset", "new"]


def test_states_that_replace_each_other_never_fill_the_queue() -> None:
    backlog = Backlog(SMALL)
    assert all(offer(backlog, *[(SNAPSHOT, "s" * 20), (BEAT, "b" * 20)] * 50))
    assert len(backlog) == 2
