"""Doubles and clients that tests share."""
