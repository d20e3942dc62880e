"""The parts `boond up` brings along: PostgreSQL, the front door, Ray, and the folder they run in."""
