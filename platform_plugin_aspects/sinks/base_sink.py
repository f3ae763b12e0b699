"""BaseSink: the promise that delivery, the backfill and the commands rely on.

A sink knows what a row is, and whether it is on. It does not know Celery, the commands or the outbox. The life of a
write is ``read``, ``write``, ``clean_up``. The backfill replaces ``write`` by ``encode`` and ``insert_encoded`` where
it can.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from waffle import get_waffle_flag_model

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import Table
from platform_plugin_aspects.sinks.batch import Batch, Selection, Written


class BaseSink(ABC):
    """A sink must write the three abstract methods. It may write the others: each has a default.

    ``name`` stands in the outbox and after ``--object``. ``model`` is the name in
    EVENT_SINK_CLICKHOUSE_MODEL_CONFIG, in the setting and in the waffle flag that turn the sink on.
    """

    name: ClassVar[str] = ""
    model: ClassVar[str] = ""
    #: Whether the sink is off while its model cannot be imported.
    needs_model: ClassVar[bool] = True
    #: All tables that the sink writes.
    tables: ClassVar[tuple[Table, ...]] = ()
    #: The key of EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG that names the database of the tables.
    database_key: ClassVar[str] = "database"
    #: Objects read at once, and written at once.
    batch_size: ClassVar[int] = 10_000
    #: Objects in one insert of a backfill, at most, if more than ``batch_size``; only for sinks that ``encode``.
    insert_size: ClassVar[int] = 0
    #: Whether there are objects to walk, so that the backfill offers the sink as an ``--object``.
    has_objects: ClassVar[bool] = True
    #: Whether ``write`` leaves the platform's database and modulestore alone, so that another thread may call it.
    writes_only_to_clickhouse: ClassVar[bool] = False
    #: Path of the date that ``Selection.since`` compares; empty if the source has no date.
    date: ClassVar[str] = ""
    #: Whether rows leave ClickHouse when their object is gone from the source.
    deletes: ClassVar[bool] = False

    def __init__(self, connection: Connection | None = None, database: str | None = None):
        """``database``: alias of the database from which ``read`` reads; None: the one to which the platform writes."""
        self.connection = self.place(connection or Connection.from_settings())
        self.database = database

    @classmethod
    def place(cls, connection: Connection) -> Connection:
        """The connection with the database of the sink's tables."""
        return replace(connection, database=getattr(connection, cls.database_key))

    @classmethod
    def tables_at(cls, connection: Connection) -> Sequence[Table]:
        """The tables as ``connection`` calls them."""
        return cls.tables

    @classmethod
    def is_enabled(cls) -> bool:
        """Whether operators turned the sink on: by EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED or by its waffle flag.

        The flag counts when it is on for everyone: what is copied does not depend on who clicks. A sink whose model
        cannot be imported is off.
        """
        if not cls.is_set_on() and not _is_on_for_everyone(cls.flag()):
            return False
        if cls.needs_model and edx_platform.get_model(cls.model) is None:
            edx_platform.warn_of_missing_model(cls.model)
            return False
        return not cls.why_unusable()

    @classmethod
    def why_unusable(cls) -> str:
        """Why the sink stays off though it is turned on, and what to do; empty when it can be used."""
        return ""

    @classmethod
    def is_set_on(cls) -> bool:
        """Whether EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED is True; needs no database."""
        return getattr(settings, cls.setting(), False) is True

    @classmethod
    def setting(cls) -> str:
        """The name of the setting that turns the sink on."""
        return f"EVENT_SINK_CLICKHOUSE_{cls.model.upper()}_ENABLED"

    @classmethod
    def flag(cls) -> str:
        """The name of the waffle flag that turns the sink on."""
        # .. toggle_name: event_sink_clickhouse.<model>.enabled
        # .. toggle_implementation: WaffleFlag
        # .. toggle_default: False
        # .. toggle_description: Turns the sink of that model on, at once and without a restart, when it is on for
        #   everyone. On for some users, groups or a percentage counts as off.
        # .. toggle_use_cases: opt_in
        # .. toggle_creation_date: 2026-11-20
        return f"event_sink_clickhouse.{cls.model}.enabled"

    @property
    def clickhouse(self) -> ClickHouse:
        """The connection, opened at its first use."""
        return get_client(self.connection)

    # A sink must write these.

    @abstractmethod
    def parse_key(self, text: str) -> Any:
        """The primary key that ``text`` stands for; ValueError if it is not a key."""

    @abstractmethod
    def read(self, selection: Selection) -> Batch:
        """The selected objects as they are now, in the order of their keys."""

    @abstractmethod
    def write(self, batch: Batch, stamp: datetime) -> Written:
        """Write a batch of ``read`` to ClickHouse, as of ``stamp``, which was taken before reading.

        Raises Unavailable, Misconfigured, or Rejected when an object of the batch cannot be written.
        """

    # A sink may write these, to be faster.

    def encode(self, batch: Batch, stamp: datetime, dump_id: uuid.UUID) -> bytes | None:
        """A batch as it travels, in a fraction of its memory; None: ``write`` must get the batch as it was read.

        Raises Rejected when an object cannot be written.
        """
        return None

    def insert_encoded(self, encoded: Sequence[bytes]) -> None:
        """Write the results of ``encode`` to ClickHouse in one insert. Raises as ``write`` does."""
        raise NotImplementedError

    def keys_and_learners(self, batch: Batch) -> Batch:
        """The part of a batch that ``clean_up`` needs after ``insert_encoded``."""
        return batch

    def rehearse(self, batch: Batch) -> Written:
        """The result of ``write``, with nothing sent; raises Rejected if ``encode`` does."""
        if not len(batch):
            return Written()
        self.encode(batch, timezone.now(), uuid.uuid4())
        return Written({self.tables[0].name: len(batch)})

    # A sink may write these, where its rows depend on more than their object.

    def clean_up(self, batch: Batch, stamp: datetime, asked: Selection | None = None) -> None:  # noqa: B027
        """After ``write``: delete rows that must not be in ClickHouse, because the source changed after ``read``.

        ``asked``: all objects that were to be read; None: those of the batch. An earlier attempt may have written rows
        of the others. With ``since`` they are many more than those of the batch.
        """

    def delete(self, keys: Sequence[Any]) -> None:
        """Delete the rows of objects that are gone from the source; called only if ``deletes``, or to prune."""
        raise NotImplementedError

    def gone(self, keys: Sequence[Any]) -> Sequence[Any]:
        """Those of the keys, which were not read, that are gone from the source; for ``delete``."""
        return keys

    def dependents(self, keys: Sequence[Any]) -> Sequence[Any]:
        """Further objects of this sink whose rows change when these objects do."""
        return ()

    def dependents_elsewhere(self, keys: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
        """Objects of other sinks whose rows change when these objects do, by sink name."""
        return {}

    def skip_reasons(self, batch: Batch) -> list[str | None]:
        """Per object, why a backfill without ``--force`` skips it; None: the backfill writes it."""
        return [None] * len(batch)


def _is_on_for_everyone(flag: str) -> bool:
    model = get_waffle_flag_model()
    try:
        return model.get(flag).everyone is True
    except Exception:
        # Waffle asks the cache first. A cache that is gone must not turn sinks off.
        return model.objects.filter(name=flag, everyone=True).exists()
