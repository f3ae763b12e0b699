"""Additions to the platform's own pages, through Open edX filters."""
