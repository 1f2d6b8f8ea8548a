"""Building everybody's record from a whole log; one module per engine."""
