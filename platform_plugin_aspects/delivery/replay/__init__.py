"""Tracking logs of the platform as xAPI statements: read, transformed and inserted as live events are."""
