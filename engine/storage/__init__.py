"""Where things are kept: the journal and the live state in Redis, the ledger in SQL."""
