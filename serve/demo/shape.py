"""The figures that give the stream its shape, and what each was measured on.

"Notes" are 1,273 debits one Indian household typed in by hand, in rupees, January 2015 to December 2017; "card" are the
1,706 card debits of a British current account, 2015 to 2019. Statistics only: no row of either is in the project.
"""

from typing import NamedTuple


class Spending(NamedTuple):
    """One category's share of spends, the median amount in rupees, and the spread of its logarithm."""

    weight: int
    median: float
    log_sd: float


PRICE_LEVEL = 1.6
"""Our assumption for ten years of Indian consumer prices, applied to the medians of the notes."""

SPENDING: dict[str, Spending] = {
    "food": Spending(354, 114.0, 0.9),
    "transport": Spending(223, 40.0, 1.0),
    "groceries": Spending(180, 64.0, 0.8),
    "shopping": Spending(119, 200.0, 1.2),
    "health": Spending(64, 125.0, 1.2),
    "bills": Spending(61, 261.0, 0.93),
    "entertainment": Spending(40, 199.0, 0.8),
    "personal_care": Spending(20, 100.0, 0.84),
    "fuel": Spending(20, 300.0, 0.6),
    "travel": Spending(16, 900.0, 1.0),
    "cash": Spending(12, 1000.0, 0.7),
}
"""Notes: weights are counts and medians as measured, except: food takes the upper quartile, as the narrations are of
chains and the notes of tea stalls; log spreads (1.0 to 1.7) are cut to 1.2, that of food to 0.9; entertainment, fuel,
travel and cash are too rare in the notes to measure, and are our choice."""

HOUR_WEIGHTS = (8, 0, 1, 0, 6, 6, 20, 39, 49, 85, 63, 78, 46, 50, 35, 25, 39, 42, 60, 78, 99, 87, 49, 34)
"""Notes with a clock time (715): spends by hour of day, per mille."""

WEEKDAY_FACTOR = (1.15, 0.97, 0.79, 0.98, 0.76, 1.04, 1.29)
"""Notes: spends on Monday to Sunday against the mean day."""

SPENDS_A_DAY = ((0, 504), (1, 267), (2, 129), (3, 82), (4, 29), (5, 26), (6, 14), (7, 8), (8, 6))
"""Notes: on how many days so many spends were made, over 1,071 days."""

KNOWN_MERCHANT_SHARE = 0.79
"""Card: share of spends at a merchant seen before (0.36 in the notes, whose texts are free)."""

SAME_AMOUNT_SHARE = 0.21
"""Notes: share of spends that repeat an earlier text and amount to the rupee."""

EXACT_TEN_SHARE = 0.15
"""Share of amounts that are a multiple of ten rupees, which round up to nothing: between the whole pounds of the card
account (0.11) and the habit of a person who types notes (0.54)."""

WHOLE_RUPEE_SHARE = 0.60
"""Share of whole rupees among the others; our choice (0.99 in notes, 0.11 on the card)."""

RESENT_SHARE = 0.02
"""Share of events that the wallet sends twice with the same id, as a retry does; our choice."""

SALARY_MEDIAN = 51_550.0
"""Notes: median salary in rupees, paid once a month on its last days, mostly between 9 and 18 o'clock."""
