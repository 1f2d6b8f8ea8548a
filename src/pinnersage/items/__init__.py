"""Items: import, ids, embeddings and attributes on disk."""
