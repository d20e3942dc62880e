"""Calendars from the outside: what knows on which days a rule falls."""
