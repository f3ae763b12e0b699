"""A bad row of a load test, which anybody may have written, is named and left out; the others count."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.load_test import runs
from platform_plugin_aspects.load_test.page import page
from platform_plugin_aspects.load_test.records import BadRow, read_end, read_sample, read_start
from platform_plugin_aspects.load_test.report import make_report, table
from platform_plugin_aspects.operations import text
from platform_plugin_aspects.tests.commands import ended
from platform_plugin_aspects.tests.simulated_runs import STARTED, record, simulated

BRACKETS = "[" * 100_000
#: The text of a row; what is said of it.
STARTS = {
    "brackets": (BRACKETS, "cannot be read as JSON"),
    "no JSON": ("{", "'{' cannot be read as JSON"),
    "no object": ("[1]", "[1] is not an object"),
    "text for a number": ('{"num_users": "many"}', "num_users is 'many', not a whole number"),
    "a huge number": ('{"num_users": 1' + "0" * 400 + "}", "num_users is 1000000"),
    "not a number": ('{"num_users": NaN}', "num_users is nan, not a whole number"),
    "without end": ('{"num_users": 1e999}', "num_users is inf, not a whole number"),
    "a number below 0": ('{"num_users": -1}', "num_users is -1, not a whole number"),
    "true": ('{"num_users": true}', "num_users is True, not a whole number"),
    "more digits than Python reads": ('{"num_users": 1' + "0" * 5000 + "}", "cannot be read as JSON"),
    "a number for text": ('{"course_id": 7}', "course_id is 7, not a text"),
    "text for tags": ('{"tags": "nightly"}', "tags is 'nightly', not a list of texts"),
    "numbers for tags": ('{"tags": ["nightly", 7]}', "tags is ['nightly', 7], not a list of texts"),
}
ENDS = {
    "brackets": (BRACKETS, "cannot be read as JSON"),
    "text for a number": ('{"sent_event_count": "5000"}', "sent_event_count is '5000', not a whole number"),
    "not a number": ('{"sent_event_count": NaN}', "sent_event_count is nan, not a whole number"),
    "a fraction": ('{"sent_event_count": 0.5}', "sent_event_count is 0.5, not a whole number"),
}
SAMPLES = {
    "brackets": (BRACKETS, "cannot be read as JSON"),
    "text for a number": ('{"clickhouse": {"total_rows": "9"}}', "total_rows of 'clickhouse' is '9', not a number"),
    "not a number": ('{"clickhouse": {"lag_seconds": NaN}}', "lag_seconds of 'clickhouse' is nan, not a number"),
    "without end": ('{"celery": {"lag": -1e999}}', "lag of 'celery' is -inf, not a number"),
    "a huge number": ('{"celery": {"lag": 1e300}}', "lag of 'celery' is 1e+300, not a number"),
    "a huge whole number": ('{"celery": {"lag": 1' + "0" * 400 + "}}", "lag of 'celery' is 1000000"),
    "a list for a section": ('{"celery": [1]}', "'celery' is [1], not an object"),
}


def insert(client: ClickHouse, table: str, run_id: str, seconds: int, **values: str) -> None:
    names = [("run_id", "String"), ("timestamp", "DateTime"), *((name, "String") for name in values)]
    moment = STARTED.replace(second=STARTED.second + seconds)
    client.insert(table, names, [[run_id], [moment], *([value] for value in values.values())])


report = partial(ended, "aspects_load_test_report")


@pytest.mark.parametrize(("row", "words"), STARTS.values(), ids=STARTS)
def test_a_bad_start_is_a_run_of_which_nothing_is_known(row: str, words: str, clickhouse: ClickHouse) -> None:
    insert(clickhouse, "load_test_runs", "odd", 0, event_type="start", extra=row)
    insert(clickhouse, "load_test_runs", "odd", 5, event_type="end", extra='{"sent_event_count": 5}')
    _code, out, err = report()
    assert "odd  2026-11-20 09:30:00      0            5" in out
    (line,) = err.splitlines()
    assert line.startswith("load_test_runs, run odd, 2026-11-20 09:30:00: the row is left out: ")
    assert words in line
    assert len(line) < 250
    _code, out, _err = report("odd")
    assert line in out
    with pytest.raises(BadRow):
        read_start(row)


@pytest.mark.parametrize(("row", "words"), ENDS.values(), ids=ENDS)
def test_a_bad_end_leaves_a_run_without_end(row: str, words: str, clickhouse: ClickHouse) -> None:
    record(clickhouse, simulated("good"))
    insert(clickhouse, "load_test_runs", "odd", 0, event_type="start", extra="{}")
    insert(clickhouse, "load_test_runs", "odd", 5, event_type="end", extra=row)
    _code, out, _err = report("odd", "good", "--json")
    odd, good = json.loads(out)
    assert (odd["ended_at"], odd["events_sent"], good["events_sent"], good["missing"]) == (None, None, 2000, [])
    assert words in odd["missing"][0]
    with pytest.raises(BadRow):
        read_end(row)


@pytest.mark.parametrize(("row", "words"), SAMPLES.values(), ids=SAMPLES)
def test_a_bad_sample_is_left_out_and_the_others_stay(
    row: str, words: str, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    record(clickhouse, simulated("good"))
    insert(clickhouse, "load_test_stats", "good", 5, stats=row)
    _code, out, _err = report("good", "--json", "--html", tmp_path / "page.html")
    (data,) = json.loads(out)
    (said,) = data["missing"]
    assert said.startswith("load_test_stats, run good, 2026-11-20 09:30:05: the row is left out: ")
    assert words in said
    assert (len(data["samples"]), data["events_arrived"]) == (30, 2000)
    assert "the row is left out" in (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(BadRow):
        read_sample(row)


def test_what_is_of_before_the_start_is_not_of_the_run(clickhouse: ClickHouse) -> None:
    insert(clickhouse, "load_test_runs", "odd", 9, event_type="start", extra="{}")
    insert(clickhouse, "load_test_runs", "odd", 8, event_type="end", extra='{"sent_event_count": 5}')
    insert(clickhouse, "load_test_stats", "odd", 7, stats="{}")
    (data,) = json.loads(report("odd", "--json").out)
    assert (data["ended_at"], data["events_sent"], data["samples"]) == (None, None, [])
    assert [note.partition("the row is left out: ")[2] for note in data["missing"][:2]] == [
        "its time is before the start of the run"
    ] * 2


def test_of_many_bad_samples_the_first_are_named(clickhouse: ClickHouse) -> None:
    insert(clickhouse, "load_test_runs", "odd", 0, event_type="start", extra="{}")
    for seconds in range(9):
        insert(clickhouse, "load_test_stats", "odd", seconds, stats="x")
    (data,) = json.loads(report("odd", "--json").out)
    assert [note for note in data["missing"] if "left out" in note][3:] == ["load_test_stats: 6 more rows are left out"]


def test_invalid_utf8_and_long_texts_do_not_stop_the_report(clickhouse: ClickHouse) -> None:
    for values in (
        "'odd', '2026-11-20 09:30:00', 'start', unhex('ff')",
        "unhex('ff'), '2026-11-20 09:30:00', 'start', '{}'",
        "repeat('x', 1000000), '2026-11-20 09:30:00', 'start', '{}'",
        "'tagged', '2026-11-20 09:30:00', 'start', concat('{\"tags\": [\"', repeat('x', 1000000), '\"]}')",
    ):
        clickhouse.command(
            f"INSERT INTO {clickhouse.qualified('load_test_runs')} (run_id, timestamp, event_type, extra) "
            f"SELECT {values}"
        )
    _code, out, err = report()
    assert len(out.splitlines()) == 5
    assert max(map(len, (*out.splitlines(), *err.splitlines()))) < 2500
    report("tagged")


def test_the_monitor_watches_a_run_with_a_bad_start(clickhouse: ClickHouse) -> None:
    clickhouse.command(
        f"INSERT INTO {clickhouse.qualified('load_test_runs')} (run_id, timestamp, event_type, extra) "
        "SELECT 'odd', now(), 'start', repeat('[', 100000)"
    )
    run = runs.latest_start(clickhouse)
    assert run is not None
    assert (run.run_id, len(run.left_out)) == ("odd", 1)


def test_the_monitor_does_not_wait_for_a_run_of_the_future(clickhouse: ClickHouse) -> None:
    clickhouse.command(
        f"INSERT INTO {clickhouse.qualified('load_test_runs')} (run_id, timestamp, event_type, extra) "
        "SELECT 'odd', now() + 86400, 'start', '{}'"
    )
    assert runs.latest_start(clickhouse) is None


NUMBERS = st.none() | st.integers() | st.floats() | st.text(max_size=3) | st.booleans() | st.just(10**400)
FIGURES = st.dictionaries(st.sampled_from(["total_rows", "lag_seconds", "lag"]), NUMBERS)
STATS = st.dictionaries(st.sampled_from(["clickhouse", "celery"]), FIGURES | NUMBERS)


@given(
    samples=st.lists(st.tuples(st.integers(-(10**9), 10**9), STATS.map(json.dumps)), max_size=4),
    duration=st.none() | st.integers(-(10**9), 10**9),
    sent=NUMBERS.map(lambda number: json.dumps({"sent_event_count": number})),
)
def test_whatever_rows_hold_the_report_is_made(samples: list[Any], duration: int | None, sent: str) -> None:
    rows = [("odd", "start", STARTED.timestamp(), "{}")]
    if duration is not None:
        rows.append(("odd", "end", STARTED.timestamp() + duration, sent))
    (run,) = runs.read_runs("load_test_runs", rows)
    run = runs.with_samples(run, "load_test_stats", [(STARTED.timestamp() + at, row) for at, row in samples])
    made = make_report(run)
    assert all(value is None or math.isfinite(value) for value in vars(made.figures).values())
    list(text.table(table([made])))
    json.loads(text.as_json(made.as_data()))


@pytest.mark.parametrize("duration", [-(10**9), 0, 10**9])
def test_the_greatest_numbers_are_drawn(duration: int) -> None:
    start = STARTED.timestamp()
    (run,) = runs.read_runs(
        "load_test_runs", [("odd", "start", start, "{}"), ("odd", "end", start + duration, '{"sent_event_count": 1}')]
    )
    figures = [(-(10**9), 2**63), (0, -(2**63)), (5, 2**63 - 0.5)]
    rows = [
        (start + at, json.dumps({"clickhouse": {"total_rows": number, "lag_seconds": number}, "x": {"lag": number}}))
        for at, number in figures
    ]
    assert "<svg" in page([make_report(runs.with_samples(run, "load_test_stats", rows))])
