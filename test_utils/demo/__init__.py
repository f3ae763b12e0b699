"""`make demo`: a short day on the stand-in platform, and what of it arrives in ClickHouse."""
