"""Fixtures: the reports in the embedded engine, created once for all tests of bundles."""

from __future__ import annotations

from platform_plugin_aspects.tests.reporting.conftest import clickhouse, reports, shared_settings

__all__ = ["clickhouse", "reports", "shared_settings"]
