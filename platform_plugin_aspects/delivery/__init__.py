"""The way out: what happens on the platform is recorded, read, and written to ClickHouse."""
