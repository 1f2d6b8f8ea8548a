"""A second stage: retrieval proposes many items, a small ranker of boosted trees orders them."""
