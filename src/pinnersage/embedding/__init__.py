"""Item embeddings for those who have none: from texts, from the log of actions, or from both."""
