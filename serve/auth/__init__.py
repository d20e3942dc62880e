"""Identity: who asks, how they prove it, and the tokens, keys, passwords and accounts behind that. No HTTP here."""
