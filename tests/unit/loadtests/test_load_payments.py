from loadtests.payments import Payments
from loadtests.turns import SENT_NS


def test_events_are_real_in_shape_and_unlike_each_other() -> None:
    payments = Payments(5, "lt-x")
    made = [payments.next(n, "asha") for n in range(6_000)]
    assert len({body["external_id"] for body in made}) == len(made)
    assert len({body["reference"] for body in made}) > len(made) - 5
    assert all(body["metadata"] == {SENT_NS: str(n)} for n, body in enumerate(made))
    assert {body["user_id"] for body in made} == {"asha"}
    assert len({body["description"] for body in made}) > 1_000
    assert {"upi", "card"} == {body["source"] for body in made}
    assert {"debit", "credit"} == {body["direction"] for body in made}
    assert all(body["amount"] > 0 for body in made)


def test_a_persons_own_event_names_no_user() -> None:
    assert "user_id" not in Payments(5, "lt-x").next(1)


def test_the_same_seed_sends_the_same() -> None:
    first, second, other = Payments(5, "a"), Payments(5, "a"), Payments(6, "a")
    bodies = [[payments.next(0) for _ in range(50)] for payments in (first, second, other)]
    assert bodies[0] == bodies[1] != bodies[2]
