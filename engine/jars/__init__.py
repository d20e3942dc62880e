"""Jars: who shares what is saved, what moves between them, what is locked, where a goal stands."""
