import pytest
from typing_extensions import override

from actors.meters import OTHER, SERIES_MAX, Measures, Series


class Kitchen(Measures):
    @override
    def __init__(self, *, on: bool = True) -> None:
        super().__init__(on=on)
        self.cups = self._count("boond_cups_total", "Cups served", "drink")
        self.boiling = self._gauge("boond_boiling_pots", "Pots that boil")
        self.brewing = self._histogram("boond_brewing_seconds", "Time a pot takes", (1.0, 2.0))


def test_a_count_is_kept_by_its_labels() -> None:
    kitchen = Kitchen()
    kitchen.cups.inc("tea")
    kitchen.cups.inc("coffee", by=3)
    kitchen.cups.inc("tea")
    assert kitchen.cups.value("tea") == 2
    assert kitchen.cups.series() == [
        Series("boond_cups_total", ("tea",), (2,)),
        Series("boond_cups_total", ("coffee",), (3,)),
    ]


def test_an_observation_falls_into_the_bucket_whose_bound_it_does_not_exceed() -> None:
    brewing = Kitchen().brewing
    for seconds in (0.5, 1.0, 1.5, 9.0):
        brewing.observe(seconds)
    assert brewing.series() == [Series("boond_brewing_seconds", (), (2, 1, 1, 12.0))]
    assert brewing.count() == 4


def test_one_observation_may_stand_for_several() -> None:
    brewing = Kitchen().brewing
    brewing.observe(1.5, times=3)
    assert brewing.series() == [Series("boond_brewing_seconds", (), (0, 3, 0, 4.5))]


def test_a_high_water_mark_only_rises_until_it_is_set() -> None:
    boiling = Kitchen().boiling
    boiling.rise(4)
    boiling.rise(2)
    assert boiling.value() == 4
    boiling.set(1)
    assert boiling.value() == 1


def test_what_nobody_counted_yet_is_zero_where_no_label_tells_it_apart() -> None:
    assert [series.values for series in Kitchen().series()] == [(0,), (0, 0, 0, 0.0)]


def test_labels_beyond_the_bound_are_counted_together() -> None:
    kitchen = Kitchen()
    for number in range(SERIES_MAX + 20):
        kitchen.cups.inc(f"drink-{number}")
    assert len(kitchen.cups.series()) == SERIES_MAX + 1
    assert kitchen.cups.value(OTHER) == 20


def test_labels_that_the_family_does_not_have_are_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="boond_cups_total takes labels"):
        Kitchen().cups.inc("tea", "black")


def test_nothing_is_counted_while_it_is_off() -> None:
    kitchen = Kitchen(on=False)
    kitchen.cups.inc("tea")
    kitchen.boiling.set(3)
    kitchen.boiling.rise(4)
    kitchen.brewing.observe(1.0)
    assert kitchen.series() == []
    assert (kitchen.cups.value("tea"), kitchen.boiling.value(), kitchen.brewing.count()) == (0, 0, 0)
