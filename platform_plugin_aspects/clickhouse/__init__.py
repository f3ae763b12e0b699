"""The ClickHouse side: connections, errors in three words, tables with their DDL, and grants."""
