"""Boards into Superset: what is there is compared with the bundles, and only differences are written."""
