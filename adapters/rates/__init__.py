"""Exchange rates from the outside: each module is a `engine.rate_book.RateSource`."""
