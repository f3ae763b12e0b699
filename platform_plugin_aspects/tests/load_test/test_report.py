"""The report of load tests: its figures are those of the run, it says what is missing, and its page stands alone."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.load_test.page import LAG, MOST_RUNS, QUEUE, THROUGHPUT, charts, looks, page
from platform_plugin_aspects.load_test.report import make_report
from platform_plugin_aspects.load_test.runs import Run, Sample
from platform_plugin_aspects.tests.commands import run
from platform_plugin_aspects.tests.simulated_runs import STARTED, record, simulated

#: 10 events a second for 200 s; 7 a second get through, the last of them 286 s after the start.
RUN = simulated(tags=["nightly", "2 workers"])


def with_samples(*samples: tuple[int, Mapping[str, Any]], **others: Any) -> Run:
    """RUN, with samples (seconds, sections) of its own."""
    stats = [Sample(STARTED + timedelta(seconds=seconds), sections) for seconds, sections in samples]
    return replace(RUN, stats=stats, **others)


def of_clickhouse(total_rows: int, lag_seconds: float | None = 0) -> dict[str, Any]:
    return {"clickhouse": {"total_rows": total_rows, "most_recent_event": None, "lag_seconds": lag_seconds}}


def test_the_figures_are_those_of_the_run() -> None:
    report = make_report(RUN)
    assert (report.backend, report.missing) == ("celery", [])
    assert asdict(report.figures) == {
        "duration_seconds": 200,
        "sent_per_second": 10,
        "events_arrived": 2000,
        "arrived_per_second": pytest.approx(2000 / 290),
        "greatest_lag_seconds": 84,
        "mean_lag_seconds": pytest.approx(40.6),
        "longest_queue": 600,
        "drained_after_seconds": 90,
    }


def test_points_are_counted_from_the_start_of_the_run() -> None:
    points = {point.seconds: point for point in make_report(RUN).points}
    assert asdict(points[0]) == {
        "seconds": 0,
        "rows": 120_000,
        "arrived_per_second": None,
        "lag_seconds": 0,
        "queue": 0,
        "drained": False,
    }
    assert (points[100].arrived_per_second, points[100].lag_seconds, points[100].queue) == (7, 30, 300)
    # The last 40 of 2,000: the first of them have waited for 84 s.
    assert (points[280].lag_seconds, points[280].queue, points[280].drained) == (84, 40, False)
    assert (points[290].arrived_per_second, points[290].queue) == (4, 0)
    # Silence after the last event is not lag.
    assert (points[290].lag_seconds, points[290].drained) == (0, True)


def test_what_is_older_than_the_run_is_no_lag() -> None:
    run = with_samples((10, of_clickhouse(5, lag_seconds=86_400)), (20, of_clickhouse(6, lag_seconds=1)))
    assert [point.lag_seconds for point in make_report(run).points] == [10, 1]


def test_rows_that_go_away_are_not_taken_from_what_arrived() -> None:
    report = make_report(with_samples(*((at, of_clickhouse(rows)) for at, rows in enumerate([100, 150, 30, 40, 40]))))
    assert [point.arrived_per_second for point in report.points] == [None, 50, 0, 10, 0]
    assert (report.figures.events_arrived, report.figures.arrived_per_second) == (60, 20)


def test_a_throughput_spans_samples_without_clickhouse() -> None:
    report = make_report(simulated(away={"clickhouse": range(50, 90)}))
    points = {point.seconds: point for point in report.points}
    assert (points[60].rows, points[60].arrived_per_second, points[90].arrived_per_second) == (None, None, 7)
    assert report.figures.events_arrived == 2000


def test_a_queue_that_is_empty_has_not_drained_while_rows_arrive() -> None:
    empty = {"vector": {"lag": -1}}
    run = with_samples(
        (190, of_clickhouse(1) | empty),
        (200, of_clickhouse(2) | empty),
        (210, of_clickhouse(3) | empty),
        (220, of_clickhouse(3) | empty),
    )
    figures = make_report(run).figures
    assert (figures.drained_after_seconds, figures.longest_queue) == (10, 0)


def test_without_figures_of_a_backend_all_is_there_when_no_more_rows_come() -> None:
    lags = {point.seconds: point.lag_seconds for point in make_report(simulated(away={"celery": range(1000)})).points}
    assert (lags[280], lags[290]) == (84, 0)


END_UNKNOWN = "No end is recorded: the load test is still running, or was killed."
NOT_DRAINED = "The queue had not drained when the last sample was taken, or nobody looked after the end."
INCOMPLETE = {
    "without end": (
        replace(RUN, ended_at=None, sent_event_count=None),
        [END_UNKNOWN],
        {"duration_seconds", "sent_per_second", "drained_after_seconds"},
    ),
    "without samples": (
        replace(RUN, stats=[]),
        ["There are no samples: monitor_load_test_tracking did not run beside it."],
        {
            "events_arrived",
            "arrived_per_second",
            "greatest_lag_seconds",
            "mean_lag_seconds",
            "longest_queue",
            "drained_after_seconds",
        },
    ),
    "with one sample": (
        replace(RUN, stats=RUN.stats[:1]),
        ["There is one sample only, which tells nothing about what arrived.", NOT_DRAINED],
        {"events_arrived", "arrived_per_second", "drained_after_seconds"},
    ),
    "sampled late": (
        replace(RUN, stats=RUN.stats[2:]),
        ["The first sample was taken 20 s after the start: what came before does not count."],
        set(),
    ),
    "sampled until the end": (replace(RUN, stats=RUN.stats[:-1]), [NOT_DRAINED], {"drained_after_seconds"}),
    "with the backend away for a while": (
        simulated(away={"celery": range(100, 120)}),
        ["2 of 30 samples lack the figures of celery, which did not answer."],
        set(),
    ),
    "with ClickHouse away for a while": (
        simulated(away={"clickhouse": range(100, 110)}),
        ["1 of 30 samples lack the figures of clickhouse, which did not answer."],
        set(),
    ),
    "with the backend always away": (
        simulated(away={"celery": range(1000)}),
        ["No sample holds figures of a backend.", NOT_DRAINED],
        {"longest_queue", "drained_after_seconds"},
    ),
    "with ClickHouse always away": (
        simulated(away={"clickhouse": range(1000)}),
        ["30 of 30 samples lack the figures of clickhouse, which did not answer.", NOT_DRAINED],
        {
            "events_arrived",
            "arrived_per_second",
            "greatest_lag_seconds",
            "mean_lag_seconds",
            "drained_after_seconds",
        },
    ),
    "with invalid figures": (
        with_samples(
            (0, {"clickhouse": None, "celery": {"lag": None}}),
            (200, {"celery": {"lag": "many"}}),
            (210, of_clickhouse(math.nan, math.nan)),
        ),
        [
            "3 of 3 samples lack the figures of clickhouse, which did not answer.",
            "3 of 3 samples lack the figures of celery, which did not answer.",
            NOT_DRAINED,
        ],
        {
            "events_arrived",
            "arrived_per_second",
            "greatest_lag_seconds",
            "mean_lag_seconds",
            "longest_queue",
            "drained_after_seconds",
        },
    ),
}


@pytest.mark.parametrize("case", INCOMPLETE)
def test_what_is_missing_is_said(case: str) -> None:
    run, missing, unknown = INCOMPLETE[case]
    report = make_report(run)
    assert report.missing == missing
    assert {name for name, figure in asdict(report.figures).items() if figure is None} == unknown


class Page(HTMLParser):
    """The page as a browser would read it."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _tag, attributes in self.tags if attribute in attributes]


@pytest.fixture(scope="module")
def html() -> str:
    """Runs of different backends, and some of which much is missing."""
    runs = [RUN, simulated("two", backend="kafka_bus", duration=150)]
    return page([make_report(run) for run in [*runs, *(run for run, _missing, _unknown in INCOMPLETE.values())]])


def test_the_page_needs_nothing_else(html: str) -> None:
    read = Page(html)
    assert not read.open
    assert not {"script", "link", "iframe", "img", "object", "image"} & {tag for tag, _attributes in read.tags}
    assert not read.values("src") + read.values("href")
    assert all(value.startswith("#") for value in read.values("xlink:href"))
    assert not re.search(r"https?:|@import|url\((?!#)", html)


def test_each_reference_finds_its_one_target(html: str) -> None:
    read = Page(html)
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    referred = [value[1:] for value in read.values("xlink:href")]
    referred += re.findall(r"url\(#([^)]+)\)", html)
    referred += [name for value in read.values("aria-labelledby") for name in value.split()]
    assert referred
    assert set(referred) <= set(ids)


def test_charts_are_there_for_every_subject_and_width_with_words(html: str) -> None:
    read = Page(html)
    drawn = [attributes for tag, attributes in read.tags if tag == "svg"]
    assert [attributes["class"] for attributes in drawn] == ["wide", "narrow"] * 3
    assert all(attributes["role"] == "img" for attributes in drawn)
    titles, descriptions = read.texts["title"], read.texts["desc"]
    assert titles[1::2] == ["Throughput over time", "Lag over time", "Queue over time"]
    assert descriptions[2].startswith("A: greatest 84.0, after 280 s; last 0.0. B: greatest 63.0, after 210 s;")
    assert "D: nothing known." in descriptions[2]
    # The page decides on colours, for light and dark.
    assert {"var(--run-1)", "var(--run-5)", "var(--ink)"} <= set(re.findall(r"var\([^)]+\)", html.split("<svg", 1)[1]))
    assert not re.search(r"#00000[1-9]", html)


def test_what_is_missing_stands_on_the_page(html: str) -> None:
    notes = "".join(Page(html).texts["li"])
    for _run, missing, _unknown in INCOMPLETE.values():
        for note in missing:
            assert note in notes


def test_runs_that_tell_nothing_make_a_page_too() -> None:
    read = Page(page([make_report(replace(RUN, stats=[]))]))
    assert "svg" not in dict(read.tags)
    assert read.texts["p"].count("No sample of this run tells anything about it.") == 3


def test_a_run_that_has_just_begun_makes_a_page_too() -> None:
    begun = with_samples((0, of_clickhouse(1)), ended_at=None, sent_event_count=None)
    assert "svg" in dict(Page(page([make_report(begun)])).tags)


def test_charts_show_the_end_of_a_run_and_that_of_throughput_what_was_sent() -> None:
    drawn = charts([(looks(1)[0], make_report(RUN))])
    lines = {chart["subject"]: chart["drawings"][0]["content"].count("stroke-dasharray") for chart in drawn}
    assert lines == {THROUGHPUT: 2, LAG: 1, QUEUE: 1}


def test_no_two_runs_look_alike() -> None:
    assert len({(look.colour, look.marker) for look in looks(MOST_RUNS)}) == MOST_RUNS
    assert len({look.letter for look in looks(MOST_RUNS)}) == MOST_RUNS


MARKUP = st.sampled_from(["<b>", "</td>", "<!--", "&lt;", "&copy", "{{ 1 }}", "{% now %}", "'", '"'])
#: UTF-8 has no lone surrogates, HTML no NUL, and it reads a carriage return as a line feed.
CHARACTERS = st.characters(exclude_characters="\x00\r", exclude_categories=["Cs"])
OUTSIDE = st.lists(MARKUP | CHARACTERS, min_size=1).map("".join)


@given(run_id=OUTSIDE, tag=OUTSIDE)
def test_text_from_outside_stays_text(run_id: str, tag: str) -> None:
    read = Page(page([make_report(replace(RUN, run_id=run_id, tags=[tag], stats=[]))]))
    assert "".join(read.texts["th"]).startswith(run_id)
    assert "".join(read.texts["td"]).startswith(tag)
    assert [tag for tag, _attributes in read.tags].count("td") == 15


print_report = partial(run, "aspects_load_test_report")


def test_runs_stand_side_by_side(clickhouse: ClickHouse) -> None:
    record(clickhouse, RUN)
    record(
        clickhouse, replace(simulated("two", backend="vector", tags=["\x1b[2J"]), ended_at=None, sent_event_count=None)
    )
    assert print_report("one", "two", "one").splitlines() == [
        "run                                           one                            two",
        "tags                           nightly, 2 workers                            [2J",
        "backend                                    celery                         vector",
        "started (UTC)                 2026-11-20 09:30:00            2026-11-20 09:30:00",
        "course              course-v1:LoadTest+LT101+2026  course-v1:LoadTest+LT101+2026",
        "users                                          10                             10",
        "duration, s                                   200                              -",
        "events sent                                 2,000                              -",
        "sent per second                              10.0                              -",
        "events arrived                              2,000                          2,000",
        "arrived per second                            6.9                            6.9",
        "greatest lag, s                              84.0                           90.0",
        "mean lag, s                                  40.6                           43.6",
        "longest queue                                 600                            600",
        "drained after, s                               90                              -",
        f"two: {END_UNKNOWN}",
    ]


def test_json_holds_the_same_and_the_samples(clickhouse: ClickHouse) -> None:
    record(clickhouse, RUN)
    (data,) = json.loads(print_report("one", "--json"))
    report = make_report(RUN)
    assert data == {
        "run_id": "one",
        "tags": ["nightly", "2 workers"],
        "course_id": "course-v1:LoadTest+LT101+2026",
        "num_users": 10,
        "username_prefix": "lt_",
        "started_at": "2026-11-20T09:30:00Z",
        "ended_at": "2026-11-20T09:33:20Z",
        "events_sent": 2000,
        "backend": "celery",
        **asdict(report.figures),
        "missing": [],
        "samples": [asdict(point) for point in report.points],
    }


def test_without_run_ids_the_latest_are_listed(clickhouse: ClickHouse) -> None:
    assert print_report().splitlines() == ["run  started (UTC)  users  events sent  tags"]
    record(clickhouse, RUN)
    hour = timedelta(hours=1)
    record(clickhouse, replace(RUN, run_id="later", tags=[], started_at=STARTED + hour, ended_at=None, stats=[]))
    assert print_report().splitlines() == [
        "run    started (UTC)        users  events sent  tags",
        "later  2026-11-20 10:30:00     10            -",
        "one    2026-11-20 09:30:00     10        2,000  nightly, 2 workers",
    ]
    listed = json.loads(print_report("--json"))
    assert [(run["run_id"], run["events_sent"], run["ended_at"]) for run in listed] == [
        ("later", None, None),
        ("one", 2000, "2026-11-20T09:33:20Z"),
    ]


def test_an_unknown_run_is_refused_with_the_latest_ones(clickhouse: ClickHouse) -> None:
    with pytest.raises(CommandError, match=r"^There is no load test 'on'; the latest are: none$"):
        print_report("on")
    record(clickhouse, replace(RUN, run_id="one\n\x1b[2J"))
    with pytest.raises(CommandError, match=r"^There is no load test 'on'; the latest are: one  \[2J$"):
        print_report("on")


def test_the_page_is_written_to_a_file(clickhouse: ClickHouse, tmp_path: Path) -> None:
    record(clickhouse, RUN)
    file = tmp_path / "report.html"
    told = print_report("one", "--html", file)
    assert f"written to {file}" in told
    read = Page(file.read_text(encoding="utf-8"))
    assert "one" in read.texts["th"]
    assert "2,000" in read.texts["td"]
    with_json = json.loads(print_report("one", "--html", file, "--json"))
    assert with_json[0]["run_id"] == "one"


def test_a_page_that_cannot_be_made_is_refused(clickhouse: ClickHouse, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^--html needs the ids of the runs"):
        print_report("--html", tmp_path / "report.html")
    record(clickhouse, RUN)
    with pytest.raises(CommandError, match=r"none/report\.html cannot be written: No such file or directory$"):
        print_report("one", "--html", tmp_path / "none" / "report.html")
    many = [f"run {number}" for number in range(MOST_RUNS + 1)]
    for run_id in many:
        record(clickhouse, replace(RUN, run_id=run_id, stats=[]))
    with pytest.raises(CommandError, match=r"^21 runs on one page cannot be told apart: name at most 20$"):
        print_report(*many, "--html", tmp_path / "report.html")


def test_without_matplotlib_there_is_no_page_but_all_else(
    clickhouse: ClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(clickhouse, RUN)
    monkeypatch.delitem(sys.modules, "platform_plugin_aspects.load_test.page")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CommandError, match=r'^matplotlib is not installed.*"platform-plugin-aspects\[report\]"$'):
        print_report("one", "--html", tmp_path / "report.html")
    assert "2,000" in print_report("one")


def test_a_clickhouse_that_is_away_is_one_message() -> None:
    with pytest.raises(CommandError, match=r"^ClickHouse cannot be reached"):
        print_report("--url", "http://127.0.0.1:9")
