"""Errors of modulestores."""


class ItemNotFoundError(Exception):
    """There is no such block or course."""


class DuplicateItemError(Exception):
    """There is such a block or course already."""
