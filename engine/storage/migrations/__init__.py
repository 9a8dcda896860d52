"""The ledger's schema, step by step; ``database.open_database`` applies what is missing.

A migration that has been released is never changed. Each holds the statements of its day, not the models.
"""
