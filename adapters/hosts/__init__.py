"""Hosts: who moves the money that instructions ask for."""
