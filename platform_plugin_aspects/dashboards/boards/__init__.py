"""The boards of course teams: declarations over the reports, and the way that they get into Superset."""
