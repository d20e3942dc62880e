"""Where scores are ranked."""
