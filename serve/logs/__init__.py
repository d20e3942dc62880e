"""Log lines: where they go, how they look, and what must not be in them."""
