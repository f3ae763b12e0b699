"""Copies what Open edX knows into ClickHouse as it changes, and shows course teams the dashboards built on it."""

__version__ = "3.0.0.dev0"
