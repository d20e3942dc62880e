"""A stream of wallet events shaped by real histories, played through the public API for a person to watch."""
