"""The ClickHouse side: connections with typed errors (``client``), tables and their DDL (``schema``)."""
