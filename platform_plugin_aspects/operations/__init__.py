"""Checks, status and metrics for operators."""
