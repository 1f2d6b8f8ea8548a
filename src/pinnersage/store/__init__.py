"""User interests at rest: records as bytes, stores of records, generations of a model's files."""
