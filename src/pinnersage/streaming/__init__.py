"""Every action counts at once: a journal of events, and the pure function that folds them into records."""
