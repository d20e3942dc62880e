"""State machines over the whole command set: see `tests/machines/README.md`."""
