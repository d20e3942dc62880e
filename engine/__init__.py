"""The pure domain: money, ledger, round-ups, jars, budgets, burn rate, streaks, alerts. No clock, no I/O."""
