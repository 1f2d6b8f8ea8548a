"""Opening tables in every format of the contract: as DuckDB relations or as Arrow batches."""
