"""Makes `tests.support` importable: pytest puts the folder above this package on the path."""
