"""The kinds table (docs/domain.md): what each kind of transaction counts as, and the category it is by itself."""

SPEND_KINDS = frozenset({"purchase", "p2p", "cash", "fee", "interest_paid", "repayment"})
INCOME_KINDS = frozenset({"income", "interest", "cashback"})
MOVE_KINDS = frozenset({"transfer", "savings", "investment"})
ROUND_UP_KINDS = frozenset({"purchase", "p2p"})

UNCATEGORISED = "uncategorised"
"""The category of what nobody could tell; a budget of this name collects them."""

CATEGORY_OF_KIND: dict[str, str] = {
    "cash": "cash",
    "fee": "fees",
    "interest_paid": "fees",
    "repayment": "loans",
    "transfer": "transfer",
    "savings": "investment",
    "investment": "investment",
    "income": "income",
    "interest": "income",
    "cashback": "income",
}
"""Kinds that are a category by themselves; `purchase`, `p2p` and `refund` do not say what was bought."""
