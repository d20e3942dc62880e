"""Exchange rates from the outside: each module is a `engine.accounts.rate_book.RateSource`."""
