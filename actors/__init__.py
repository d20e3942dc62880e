"""The actor runtime: turns, activation, group commit, placement, feeds; the journal and its schema."""
