"""The runtime under a seeded scheduler with virtual time, a faulty journal and a faulty transport (see README.md)."""
