"""Payments: every report of one, through its whole life."""
