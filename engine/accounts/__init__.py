"""Where money is kept and in which currency: accounts, rates, and what belongs together across them."""
