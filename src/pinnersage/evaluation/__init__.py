"""Replays a log day by day, predict then reveal, and measures arms side by side."""
