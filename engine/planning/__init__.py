"""What is spent and what is to come: budgets, pace, categories, schedules, summaries."""
