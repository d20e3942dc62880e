"""The live socket: one user's committed turns, pushed in order, resumed from the journal."""
