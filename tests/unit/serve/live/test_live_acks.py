import pytest

from serve.live.acks import AckBeyondHead, Acks


def test_a_client_that_never_acks_owes_nothing_and_costs_nothing() -> None:
    acks = Acks(4)
    acks.sent(1, 10.0)
    assert acks.unacknowledged(1) == 0
    assert acks.ack(1, 1, 12.0) is None


def test_an_ack_holds_for_all_before_and_tells_how_long_its_turn_took() -> None:
    acks = Acks(4)
    acks.ack(0, 0, 9.0)
    for seq in (1, 2, 3):
        acks.sent(seq, 10.0 + seq)
    assert acks.unacknowledged(3) == 3
    assert acks.ack(2, 3, 15.0) == 3.0
    assert acks.unacknowledged(3) == 1
    assert acks.ack(3, 3, 15.5) == 2.5


def test_a_lower_ack_changes_nothing() -> None:
    acks = Acks(4)
    acks.ack(5, 9, 1.0)
    assert acks.ack(3, 9, 2.0) is None
    assert acks.acked == 5


def test_a_turn_sent_again_is_measured_from_the_first_time() -> None:
    acks = Acks(4)
    acks.ack(0, 0, 1.0)
    acks.sent(1, 2.0)
    acks.sent(1, 8.0)
    assert acks.ack(1, 1, 9.0) == 7.0


def test_only_so_many_turns_are_tracked() -> None:
    acks = Acks(2)
    acks.ack(0, 0, 1.0)
    for seq in range(1, 6):
        acks.sent(seq, float(seq))
    assert acks.ack(3, 5, 9.0) is None, "turn 3 was forgotten for newer ones"
    assert acks.ack(5, 5, 9.0) == 4.0


def test_an_ack_beyond_the_head_says_both() -> None:
    with pytest.raises(AckBeyondHead, match="turn 7, but the last committed one is 6"):
        Acks(2).ack(7, 6, 1.0)
