"""Models that learn from the stream, and what trains, stores and judges them."""
