"""Own trackers: what reports players and events active or inactive (seed 000)."""
