"""Tests of Boond. A package, so that the root of the project is importable wherever pytest is started."""
