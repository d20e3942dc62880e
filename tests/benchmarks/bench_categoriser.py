"""Accuracy, coverage and speed of the rule categoriser on labelled narrations kept outside the project.

`python tests/benchmarks/bench_categoriser.py [labelled.csv]`, with columns source, description, direction, label_raw,
label_std; without an argument `BOOND_LABELLED` names the file. Says so and ends well when there is none. For rows
labelled by their MCC (`label_raw` begins with the code) the truth is our own mapping of that code.
"""

import csv
import os
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from engine.kinds import UNCATEGORISED
from online_ml.categoriser import RuleCategoriser
from online_ml.mcc import category_of
from online_ml.narration import normalise
from online_ml.taxonomy import COARSE


def truth(row: dict[str, str]) -> str:
    """Return the label of a row in our taxonomy."""
    code = row["label_raw"][:4]
    return (category_of(code) if code.isdigit() else None) or COARSE[row["label_std"]]


def scored(rows: list[dict[str, str]], categoriser: RuleCategoriser) -> None:
    """Print accuracy, coverage and precision by source, then precision by rule and its confidence."""
    sources: dict[str, Counter[str]] = defaultdict(Counter)
    rules: dict[tuple[str, str, float], Counter[bool]] = defaultdict(Counter)
    confusions: Counter[tuple[str, str]] = Counter()
    for row in rows:
        said = categoriser.predict(description=row["description"], direction=row["direction"])
        right = said.category == truth(row)
        for name in (row["source"], "all", *([] if row["source"].endswith("_synth") else ["all real"])):
            sources[name].update(["rows"] + ["right"] * right + ["said"] * (said.category != UNCATEGORISED))
            if said.category != UNCATEGORISED:
                rules[name, said.by, said.confidence][right] += 1
        if not right and said.category != UNCATEGORISED:
            confusions[truth(row), said.category] += 1
    print(f"{'source':24}{'rows':>7}{'accuracy':>10}{'coverage':>10}{'precision':>11}")
    for name, count in sorted(sources.items()):
        print(
            f"{name:24}{count['rows']:7}{count['right'] / count['rows']:10.3f}{count['said'] / count['rows']:10.3f}"
            f"{count['right'] / max(1, count['said']):11.3f}"
        )
    print(f"\n{'source':24}{'rule':8}{'confidence':>11}{'rows':>7}{'precision':>11}")
    for (name, by, confidence), hits in sorted(rules.items()):
        print(f"{name:24}{by:8}{confidence:11.2f}{hits.total():7}{hits[True] / hits.total():11.3f}")
    print("\nmost confused (truth, said):", confusions.most_common(12))


def timed(rows: list[dict[str, str]], categoriser: RuleCategoriser) -> None:
    """Print microseconds a prediction: cold (every text new) and warm (a known merchant, with a new reference)."""
    texts = [row["description"] for row in rows]
    started = time.perf_counter()
    for text in texts:
        categoriser.predict(description=text)
    cold = (time.perf_counter() - started) / len(texts) * 1e6
    merchants = [normalise(text)[:60] for text in texts[:2000]]
    for merchant in merchants:
        categoriser.predict(merchant=merchant)
    started = time.perf_counter()
    for _ in range(20):
        for merchant in merchants:
            categoriser.predict(merchant=merchant, mcc="5812", amount=19725, direction="debit", kind="purchase")
    warm = (time.perf_counter() - started) / (20 * len(merchants)) * 1e6
    narrations = [f"UPI/DR/{10**11 + n}/{merchants[n % 50].upper()}/HDFC/q{n}00000@ybl/UPI" for n in range(20_000)]
    started = time.perf_counter()
    for narration in narrations:
        categoriser.predict(description=narration)
    fresh = (time.perf_counter() - started) / len(narrations) * 1e6
    print(f"\nus a prediction: cold {cold:.1f} over {len(texts)} texts, warm merchant {warm:.2f},")
    print(f"  narration of a known merchant with a new reference {fresh:.2f}")


def main() -> None:
    """Read the file, print the tables."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BOOND_LABELLED", "labelled_dev.csv"))
    if not path.exists():
        print(f"no labelled narrations at {path}: nothing measured")
        return
    with path.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    scored(rows, RuleCategoriser())
    timed(rows, RuleCategoriser())


if __name__ == "__main__":
    main()
