"""From a promise to moved money: sweeps, instructions, mandates, reconciliation."""
