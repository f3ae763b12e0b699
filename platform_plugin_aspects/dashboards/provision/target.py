"""The parts of a bundle, and of the connection to ClickHouse, that provisioning reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Database(Protocol):
    """Superset's connection. ``uri`` is SQLAlchemy's address with ``XXXXXXXXXX`` for the password."""

    @property
    def name(self) -> str:
        """Its name in Superset."""

    @property
    def uuid(self) -> str:
        """Its UUID in Superset."""

    @property
    def uri(self) -> str:
        """Its address, without a password."""

    @property
    def username(self) -> str:
        """The reader of the reports."""


class BoardRow(Protocol):
    """A board in one language; as ``bundle.BoardRow``."""

    @property
    def slug(self) -> str:
        """The board's own name, such as "course"."""

    @property
    def superset_slug(self) -> str:
        """Its slug in Superset, such as "aspects-course-en"."""

    @property
    def title(self) -> str:
        """Its title."""

    @property
    def dashboard_uuid(self) -> str:
        """UUID of the dashboard."""

    @property
    def block_type(self) -> str:
        """Studio shows it beside blocks of this type."""

    @property
    def position(self) -> int:
        """Its place among the boards."""

    @property
    def charts(self) -> Sequence[str]:
        """UUIDs of its charts."""

    @property
    def datasets(self) -> Sequence[str]:
        """UUIDs of its datasets."""


class Bundle(Protocol):
    """The boards in one language, as files for Superset; as ``bundle.Bundle``."""

    @property
    def language(self) -> str:
        """Language of the texts, such as "es-419"; "" for all languages."""

    @property
    def files(self) -> Mapping[str, str]:
        """Path without the zip's root folder -> YAML."""

    @property
    def zip(self) -> bytes:
        """The files."""

    @property
    def hash(self) -> str:
        """Checksum of what Superset stores."""

    @property
    def dashboards(self) -> Mapping[str, str]:
        """Slug in Superset -> UUID."""

    @property
    def charts(self) -> Mapping[str, str]:
        """Name -> UUID."""

    @property
    def datasets(self) -> Mapping[str, str]:
        """Relation -> UUID. Bundles may share datasets."""

    @property
    def rows(self) -> Sequence[BoardRow]:
        """The boards, in order."""
