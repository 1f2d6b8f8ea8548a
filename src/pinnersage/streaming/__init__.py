"""Actions as they come: journal, fold, and what the drivers share."""
