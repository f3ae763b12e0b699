"""Requests to Superset. Nothing here knows of courses."""
