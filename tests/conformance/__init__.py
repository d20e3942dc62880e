"""The rules, and what holds each: `rules.py` reads the map, `page.py` writes it down for people."""
