"""Actions: import, checks, and batches of whole users."""
