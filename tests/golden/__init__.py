"""Journals as releases wrote them, and how to make one: see `tests/golden/README.md`."""
