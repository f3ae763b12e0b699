"""The statements that create all relations of the reports in a ClickHouse that has none of them."""

from __future__ import annotations

from collections.abc import Iterator

from platform_plugin_aspects.clickhouse.schema import create_database_statement
from platform_plugin_aspects.reporting.layout import Layout, table_name


def creation(layout: Layout) -> Iterator[str]:
    """CREATE statements, in order, for the user as whom the views shall read. They read no statements from before."""
    yield create_database_statement(layout.database, layout.cluster)
    yield layout.create_filled()
    definitions = layout.hashes
    stored = [relation for relation in layout.wanted if relation.is_stored]
    tables = {relation.name: table_name(relation, definitions[relation.name], 1) for relation in stored}
    for relation in stored:
        yield layout.create_table(relation, tables[relation.name])
        yield layout.create_feed(relation, tables[relation.name], layout.source_table(relation, tables))
    for relation in reversed(stored):
        yield layout.create_view(relation, tables[relation.name])
    for relation in layout.wanted:
        if not relation.is_stored:
            yield layout.create_view(relation)
