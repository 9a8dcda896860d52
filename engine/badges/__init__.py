"""Badges handed over by the engine itself: into a CSV file, or to somebody's web server.

Roles on Discord are the ingest's business. A badge that was handed over, or never can be, is told to the
journal, so that the ledger settles it like everything else.
"""
