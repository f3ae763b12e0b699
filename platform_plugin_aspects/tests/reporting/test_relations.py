"""Each relation exists as its header says."""

from __future__ import annotations

from platform_plugin_aspects.reporting.migrate import Reports, Status


def test_all_relations_are_made_with_the_columns_of_their_headers(reports: Reports) -> None:
    assert {state.relation.name: state.status for state in reports.states()} == {
        relation.name: Status.CURRENT for relation in reports.relations
    }
    sql = "SELECT table, name FROM system.columns WHERE database = {database:String} ORDER BY table, position"
    found: dict[str, list[str]] = {}
    for table, name in reports.client.select(sql, {"database": reports.layout.database}):
        found.setdefault(table, []).append(name)
    for relation in reports.relations:
        assert found[relation.name] == [column.name for column in relation.columns], relation.name
