"""Superset, which shows the dashboards built on what the sinks write."""
