"""From user interests to recommendations: nearest-neighbor indexes, the retriever, explanations."""
