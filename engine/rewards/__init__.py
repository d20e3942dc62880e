"""What saving earns: streaks, badges, saving challenges, leaderboards."""
