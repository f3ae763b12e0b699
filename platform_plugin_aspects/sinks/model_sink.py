"""ModelBaseSink: a table with one row per object of a Django model."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Field
from django.db.models.constants import LOOKUP_SEP
from opaque_keys import InvalidKeyError

from platform_plugin_aspects import databases, edx_platform
from platform_plugin_aspects.clickhouse.driver import encode
from platform_plugin_aspects.clickhouse.errors import Rejected
from platform_plugin_aspects.clickhouse.schema import Table
from platform_plugin_aspects.errors import PLATFORM_FAULTS
from platform_plugin_aspects.sinks.base_sink import BaseSink
from platform_plugin_aspects.sinks.batch import Batch, Columns, Selection, Written, chunks
from platform_plugin_aspects.sinks.column import DUMP_COLUMNS, TEXT, UTF8, Column
from platform_plugin_aspects.sinks.formats import stamp_text
from platform_plugin_aspects.sinks.personal_data import is_personal
from platform_plugin_aspects.sinks.reading import read_columns


class ModelBaseSink(BaseSink):
    """A table with one row per object of a Django model, each value from a field or from fields joined to it.

    A subclass declares ``name``, ``model``, ``columns`` and what the table needs; dump_id and time_last_dumped are
    added. See docs/how-tos/add_a_sink.rst.
    """

    writes_only_to_clickhouse = True
    columns: ClassVar[tuple[Column, ...]] = ()
    #: Sources that the model has no field for: ``write`` adds their values to the batch.
    computed: ClassVar[tuple[str, ...]] = ()
    #: Columns of the sorting key and, where there are, of the primary key and the partition, as in ``Table``.
    order_by: ClassVar[tuple[str, ...]] = ("id", "time_last_dumped")
    primary_key: ClassVar[tuple[str, ...]] = ()
    partition_by: ClassVar[str] = ""
    #: Name of the ClickHouse table where it is not ``name``.
    table_name: ClassVar[str] = ""
    #: Tables that ``write`` fills besides the sink's own.
    further_tables: ClassVar[tuple[Table, ...]] = ()
    #: The ClickHouse column by which rows belong to an object, for deleting and comparing.
    key_column: ClassVar[str] = "id"
    #: The path of the learner's id, where rows are about one: learners who are being retired, or were, are then left
    #: out of tables with personal data. These have a column ``user_id``.
    learner: ClassVar[str] = ""
    table: ClassVar[Table]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.columns:
            cls.table = Table(
                cls.table_name or cls.name,
                (*cls.columns, *DUMP_COLUMNS),
                order_by=cls.order_by,
                primary_key=cls.primary_key,
                partition_by=cls.partition_by,
            )
            cls.tables = (cls.table, *cls.further_tables)

    @classmethod
    def paths(cls) -> tuple[str, ...]:
        """The paths of all model fields that rows are made of, each once."""
        found = [path for column in cls.columns for path in column.sources if path not in cls.computed]
        return tuple(dict.fromkeys([*found, *filter(None, [cls.learner])]))

    @classmethod
    def key(cls) -> Column:
        """The column that ``key_column`` names; StopIteration if no column has that name."""
        return next(column for column in cls.columns if column.name == cls.key_column)

    @classmethod
    def reads_account(cls) -> bool:
        """Whether rows name the learner otherwise than by the id, so that they change when the account does."""
        model = edx_platform.get_model(cls.model) if cls.learner else None
        account = edx_platform.account_path(model, cls.learner) if model is not None else ""
        return bool(account) and any(path.startswith(account + LOOKUP_SEP) for path in cls.paths())

    @property
    def manager(self) -> Any:
        """The default manager of the model, on the database to which it is written.

        LookupError, naming the setting, when the model cannot be imported.
        """
        model = edx_platform.get_model(self.model)
        if model is None:
            raise LookupError(f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{self.model!r}] names no model that can be imported")
        return edx_platform.primary(model)

    def parse_key(self, text: str) -> Any:
        """A primary key of the model; ValueError if the text is not one."""
        try:
            key = self.manager.model._meta.pk.to_python(text)
        except (ValidationError, InvalidKeyError, ValueError):
            key = None
        # Fields of opaque keys take empty text for null. Drivers refuse greater numbers with errors of their own.
        if key is None or (isinstance(key, int) and not -(2**63) <= key < 2**63):
            raise ValueError(f"{text!r} is not a key of {self.name}")
        return key

    def queryset(self) -> Any:
        """All objects of the model that are to be written."""
        queryset = self.manager.all()
        if self._keeps_out_retired:
            queryset = edx_platform.without_retired(queryset, self.learner)
        return queryset

    def read(self, selection: Selection) -> Batch:
        """The selected objects, by one query with its joins and without model instances."""
        queryset = self.queryset()
        if self.database is not None:
            queryset = queryset.using(self.database)
        queryset = self.within(queryset, selection)
        if selection.skip:
            queryset = queryset.exclude(pk__in=selection.skip)
        if selection.since is not None:
            queryset = queryset.filter(**{f"{self.date}__gte": selection.since})
        queryset = queryset.order_by("pk")[: selection.limit]
        key = queryset.model._meta.pk.attname
        paths = tuple(dict.fromkeys([key, *self.paths()]))
        columns = dict(zip(paths, read_columns(queryset, paths, self._casts(key)), strict=True))
        return Batch(columns[key], Columns({path: columns[path] for path in self.paths()}))

    def within(self, queryset: Any, selection: Selection) -> Any:
        """The objects with the selected keys, or in the selected range of keys."""
        if selection.keys is not None:
            queryset = queryset.filter(pk__in=selection.keys)
        if selection.after is not None:
            queryset = queryset.filter(pk__gt=selection.after)
        if selection.upto is not None:
            queryset = queryset.filter(pk__lte=selection.upto)
        return queryset

    def _casts(self, key: str) -> dict[str, Field[Any, Any]]:
        """As which field the database gives each path's values, where all columns of the path agree."""
        casts: dict[str, Field[Any, Any] | None] = {key: None, self.learner: None}
        for column in self.columns:
            cast = column.source.cast
            if cast is UTF8 and column.name == self.key_column:
                cast = TEXT
            for path in column.sources:
                if casts.setdefault(path, cast) is not cast:
                    casts[path] = TEXT if {casts[path], cast} == {TEXT, UTF8} else None
        return {path: cast for path, cast in casts.items() if cast is not None}

    def write(self, batch: Batch, stamp: datetime) -> Written:
        """Write a batch in one insert."""
        if not len(batch):
            return Written()
        self.insert(batch, stamp, uuid.uuid4())
        return Written({self.table.name: len(batch)})

    def insert(self, batch: Batch, stamp: datetime, dump_id: uuid.UUID) -> None:
        """Insert the batch (with values of ``paths()`` and ``computed``) under the given dump_id and time."""
        self.clickhouse.insert(self.table.name, self.table.types, self.prepared(batch, stamp, dump_id))

    def prepared(self, batch: Batch, stamp: datetime, dump_id: uuid.UUID) -> list[Sequence[Any]]:
        """The values to insert: one sequence of ClickHouse's values per column of the table."""
        return [*self.converted(batch), [str(dump_id)] * len(batch), [stamp_text(stamp)] * len(batch)]

    def encode(self, batch: Batch, stamp: datetime, dump_id: uuid.UUID) -> bytes | None:
        """The batch in ClickHouse's Native format."""
        return encode(self.connection, self.table.types, self.prepared(batch, stamp, dump_id))

    def insert_encoded(self, encoded: Sequence[bytes]) -> None:
        """Write the results of ``encode`` in one insert."""
        self.clickhouse.send(self.table.name, self.table.types, encoded)

    def keys_and_learners(self, batch: Batch) -> Batch:
        """The keys, the learners and the values that identify rows."""
        paths = dict.fromkeys(filter(None, [self.learner, self._row_path]))
        return Batch(batch.keys, {path: batch.columns[path] for path in paths})

    @property
    def _row_path(self) -> str:
        """The path of the value that identifies an object's rows, if rows leave with it; empty if that is the key."""
        path = self.key().sources[0] if self.deletes else ""
        return "" if path in ("pk", self.manager.model._meta.pk.name) else path

    def gone(self, keys: Sequence[Any]) -> Sequence[Any]:
        """The keys that the model does not have any more."""
        there = set(self._there(Selection(keys=keys)))
        return [key for key in keys if key not in there]

    def _there(self, selection: Selection) -> Sequence[Any]:
        """The selected keys that the source has, in order, retired learners included."""
        queryset = self.within(self.manager.all(), selection).order_by("pk")
        return read_columns(queryset, (queryset.model._meta.pk.attname,))[0]

    def delete(self, keys: Sequence[Any]) -> None:
        """Delete the rows whose ``key_column`` is one of the keys."""
        column = self.key()
        self.clickhouse.delete(self.table.name, column.name, column.type, column.values(keys))

    def converted(self, batch: Batch) -> list[Sequence[Any]]:
        """The batch as ClickHouse's values, one sequence per column."""
        return [self._values(column, batch) for column in self.columns]

    def _values(self, column: Column, batch: Batch) -> Sequence[Any]:
        try:
            return column.values(*map(batch.as_read, column.sources))
        except PLATFORM_FAULTS:
            raise
        except Exception as error:
            # The value stays out of the message: it may be a learner's.
            raise Rejected(
                f"A value of {self.table.name}.{column.name} cannot be converted ({type(error).__name__})"
            ) from None

    def clean_up(self, batch: Batch, stamp: datetime, asked: Selection | None = None) -> None:
        """Delete the rows of retired learners, and of objects that are gone."""
        asked = asked or Selection(keys=batch.keys)
        if not (self._keeps_out_retired or self.deletes):
            return
        there = self._there_after(batch, asked)
        if self._keeps_out_retired:
            # The platform has a record of each retirement since the batch was read; earlier ones may have none, and
            # these learners are not in the batch.
            by_username = asked.since is not None or there != batch.keys
            among = self.within(self.manager.all(), asked)
            retired = edx_platform.retired_among(among, self.learner, by_username=by_username)
            # Rows written before a retirement that may still be cancelled stay.
            written_before = retired.difference(batch.columns.get(self.learner, ()))
            if written_before:
                retired -= edx_platform.pending_among(written_before)
            self.clickhouse.delete(self.table.name, "user_id", "Int32", sorted(retired))
            databases.check_before_use()
        if self.deletes and len(batch) and there != batch.keys:
            left = set(there)
            rows = batch.columns[self._row_path] if self._row_path else batch.keys
            gone = [row for key, row in zip(batch.keys, rows, strict=True) if key not in left]
            if gone:
                self.delete(gone)

    def _there_after(self, batch: Batch, asked: Selection) -> Sequence[Any]:
        """The keys that the source has now: of those asked for or, if a date selected few of many, of the batch."""
        if asked.since is None:
            return self._there(asked)
        parts = [self._there(Selection(keys=keys)) for keys in chunks(batch.keys, self.batch_size)]
        return [*chain.from_iterable(parts)]

    @cached_property
    def _keeps_out_retired(self) -> bool:
        return bool(self.learner) and is_personal(self.table.name, lambda: self.clickhouse)
