"""The outside world, one folder a family."""
