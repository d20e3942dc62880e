import pytest

from serve.live.delivery import Delivery, HistoryGone, Stage, Verdict


def live_at(position: int) -> Delivery:
    delivery = Delivery()
    delivery.begin(position)
    assert delivery.reached_head()
    return delivery


def test_the_next_turn_is_delivered_once() -> None:
    delivery = live_at(4)
    assert delivery.offer(5) is Verdict.DELIVER
    assert delivery.offer(5) is Verdict.IGNORE
    assert delivery.offer(4) is Verdict.IGNORE
    assert delivery.position == 5


def test_a_gap_is_read_from_history_and_never_skipped() -> None:
    delivery = live_at(4)
    assert delivery.offer(6) is Verdict.CATCH_UP
    assert delivery.offer(7) is Verdict.IGNORE
    assert not delivery.reached_head()
    assert [delivery.advance(n) for n in (5, 6, 7)] == [True, True, True]
    assert delivery.reached_head()
    assert delivery.offer(8) is Verdict.DELIVER


def test_turns_that_come_while_history_is_read_raise_the_head_only() -> None:
    delivery = Delivery()
    delivery.begin(0)
    delivery.learn(2)
    assert delivery.offer(1) is Verdict.IGNORE
    assert delivery.position == 0
    assert [delivery.advance(n) for n in (1, 1, 2)] == [True, False, True]
    assert delivery.reached_head()


def test_nothing_goes_out_before_the_position_is_known() -> None:
    delivery = Delivery()
    assert delivery.offer(1) is Verdict.IGNORE
    assert delivery.learn(3) is Verdict.IGNORE
    assert not delivery.reached_head()
    delivery.begin(3)
    assert delivery.reached_head()


def test_a_higher_head_alone_makes_a_live_socket_catch_up() -> None:
    delivery = live_at(4)
    assert delivery.learn(4) is Verdict.IGNORE
    assert delivery.learn(5) is Verdict.CATCH_UP


def test_a_hole_in_history_is_told() -> None:
    delivery = Delivery()
    delivery.begin(4)
    with pytest.raises(HistoryGone, match="expected turn 5, the journal gave 9"):
        delivery.advance(9)


def test_history_is_refused_by_a_live_socket() -> None:
    with pytest.raises(RuntimeError, match="live"):
        live_at(1).advance(2)
    assert live_at(1).stage is Stage.LIVE
