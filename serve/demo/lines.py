"""What a person reads: one line a spend, and the summary at the end. Pure: takes what the API said, gives text."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HEADING = (
    f"{'who':<6}{'amount':>12}  {'category':<19}{'rounded to':>12}{'saved':>16}  {'jar balance':<31}{'budget left':<25}"
    f"{'push':>9}  alert"
)


def money(paise: int, symbol: str = "₹") -> str:
    """Return rupees and paise with the Indian grouping: 12,34,567.89."""
    rupees, rest = divmod(abs(paise), 100)
    head, tail = str(rupees)[:-3], str(rupees)[-3:]
    groups = [tail]
    while head:
        groups.insert(0, head[-2:])
        head = head[:-2]
    return f"{'-' if paise < 0 else ''}{symbol}{','.join(groups)}.{rest:02}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; NaN of nothing."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spend_line(
    who: str, receipt: Mapping[str, Any], jars: Mapping[str, tuple[str, int]], push_ms: float | None, symbol: str = "₹"
) -> str:
    """Return the line of one receipt. `jars`: name and balance by id after it; `push_ms` None: no push came."""
    sign = "+" if receipt["transaction"]["direction"] == "credit" else ""
    category = f"{receipt['category']} {receipt['confidence']:.0%}"
    skipped = receipt.get("skipped_reason")
    saved = f"({skipped})" if skipped else money(receipt["saved_amount"], symbol)
    pushed = "no push" if push_ms is None else f"{push_ms:.1f} ms"
    alerts = "; ".join(alert["message"] for alert in receipt["alerts"])
    amounts = f"{sign + money(receipt['amount'], symbol):>12}  {category:<19}{money(receipt['rounded_to'], symbol):>12}"
    after = f"{_jars(receipt, jars, symbol):<31}{_budget_left(receipt, symbol):<25}"
    return f"{who:<6}{amounts}{saved:>16}  {after}{pushed:>9}  {alerts}".rstrip()


def _jars(receipt: Mapping[str, Any], jars: Mapping[str, tuple[str, int]], symbol: str) -> str:
    filled = [jars.get(posting["jar_id"], ("jar", posting["amount"])) for posting in receipt["jar_postings"]]
    return ", ".join(f"{name} {money(balance, symbol)}" for name, balance in filled)


def _budget_left(receipt: Mapping[str, Any], symbol: str) -> str:
    budgets = {budget["category"]: budget for budget in receipt["budgets"]}
    budget = budgets.get(receipt["category"]) or budgets.get("overall")
    if budget is None:
        return ""
    return f"{budget['category']} {money(budget['limit'] - budget['spent'], symbol)}"


def resent_line(who: str, receipt: Mapping[str, Any], symbol: str = "₹") -> str:
    """Return the line of an event sent a second time."""
    seen = "the same receipt, counted once" if receipt.get("duplicate") else "NOT recognised as a duplicate"
    return f"{who:<6}{money(receipt['amount'], symbol):>12}  sent again: {seen}"


@dataclass
class Summary:
    """The figures of a run; times in milliseconds, money in paise."""

    sent: int = 0
    recorded: int = 0
    duplicates: int = 0
    saved: int = 0
    refused: list[str] = field(default_factory=list)
    missed_pushes: int = 0
    reconnects: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    push_ms: list[float] = field(default_factory=list)
    reply_ms: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0

    def add(self, receipt: Mapping[str, Any]) -> None:
        """Count one newly recorded event."""
        self.recorded += 1
        self.saved += receipt["saved_amount"]
        self.alerts.update(alert["type"] for alert in receipt["alerts"])
        if receipt.get("skipped_reason"):
            self.skipped[receipt["skipped_reason"]] += 1

    def lines(self, symbol: str = "₹") -> list[str]:
        """Return the summary as it ends a run."""
        rate = self.sent / self.elapsed_s if self.elapsed_s else 0.0
        return [
            f"events      {self.sent} sent in {self.elapsed_s:.1f} s ({rate:.0f}/s): {self.recorded} recorded,"
            f" {self.duplicates} duplicates recognised, {len(self.refused)} refused",
            f"saved       {money(self.saved, symbol)} in all{_counted('; nothing saved: ', self.skipped)}",
            f"alerts      {self.alerts.total()}{_counted(': ', self.alerts)}",
            f"send-push   {_spread(self.push_ms)}, {self.missed_pushes} missed, {self.reconnects} reconnects",
            f"send-reply  {_spread(self.reply_ms)}",
            *(f"refused     {refusal}" for refusal in self.refused[:5]),
        ]

    def figures(self) -> dict[str, Any]:
        """Return the summary for a program to read."""
        return {
            "sent": self.sent,
            "recorded": self.recorded,
            "duplicates": self.duplicates,
            "refused": len(self.refused),
            "saved": self.saved,
            "missed_pushes": self.missed_pushes,
            "alerts": dict(self.alerts),
            "skipped": dict(self.skipped),
            "elapsed_s": round(self.elapsed_s, 3),
            "push_ms": _figures(self.push_ms),
            "reply_ms": _figures(self.reply_ms),
        }


def _counted(prefix: str, counts: Counter[str]) -> str:
    return prefix + ", ".join(f"{name} {count}" for name, count in counts.most_common()) if counts else ""


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "none measured"
    return f"p50 {percentile(values, 0.5):.1f} ms, p99 {percentile(values, 0.99):.1f} ms"


def _figures(values: Sequence[float]) -> dict[str, float | None]:
    return {
        name: round(percentile(values, share), 3) if values else None for name, share in (("p50", 0.5), ("p99", 0.99))
    }
