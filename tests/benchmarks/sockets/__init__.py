"""Sockets by the thousand: lean clients, the servers they are held against, and the jobs both are given."""
