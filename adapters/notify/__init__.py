"""Where notifications go: one file a way out."""
