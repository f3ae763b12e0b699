"""The UUIDs by which Superset knows what the boards are made of. They never change, so that a new version replaces."""

from __future__ import annotations

from uuid import UUID, uuid5

#: Ours alone. Aspects derives its UUIDs from others, so both can be in one Superset.
NAMESPACE = UUID("5c1f0d5e-6b0c-4b3f-9d5a-3f0a6e1b7c42")


def uuid_of(kind: str, name: str, language: str = "") -> str:
    """The UUID of an object. ``kind``: "database", "dataset", "chart" or "dashboard".

    ``language`` is empty for databases and datasets, which serve the boards of all languages.
    """
    return str(uuid5(NAMESPACE, f"{kind}/{name}/{language}"))


def slug_of(board: str, language: str) -> str:
    """Superset's slug of a board in a language."""
    return f"aspects-{board}-{language}"
