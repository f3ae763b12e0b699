"""The boards as files that Superset imports: one bundle per language."""
