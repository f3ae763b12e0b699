"""The day: what happens on the platform, what of it is delivered, and the account of both.

After every act the latest rows of ClickHouse are compared with the source; the first difference ends the demo.
"""

from __future__ import annotations

import io
import re
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cms.celery import APP
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Count
from django.test import override_settings
from django.utils import timezone
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients, get_client, quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.models import Change, SinkState, TrackingEvent
from platform_plugin_aspects.sinks.formats import stamp_text
from platform_plugin_aspects.sinks.registry import sinks
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.comparison import compare, key_column
from test_utils.demo.learning import Learning
from test_utils.demo.paper import Paper, shown
from test_utils.demo.site import DemoFailed, Log, Worker, env_tokens
from test_utils.demo.team import Team
from test_utils.demo_data import Demo, load_demo
from test_utils.factories import ObjectTag, Tag, Taxonomy, make_user, tag_object
from test_utils.retirement import retirement_steps

#: Names in letters beyond ASCII, of people who gave a year of birth that one believes.
PEOPLE = r"match(name, '^[\\pL .]*[^\\x00-\\x7f][\\pL .]*$') AND toInt32OrZero(toString(year_of_birth)) > 1940"
#: A lineage is JSON, which escapes letters beyond ASCII.
PLAIN = "position(lineage, char(92)) = 0"
#: Columns to show of each table, and which rows. The comparison sees all columns of all rows.
EXCERPTS = {
    "course_overviews": (("course_key", "display_name"), "1"),
    "course_blocks": (("order", "display_name", "location"), "position(location, 'type@problem') > 0"),
    "user_profile": (("id", "username", "year_of_birth", "name"), PEOPLE),
    "external_id": (("external_user_id", "external_id_type", "username"), "1"),
    "course_enrollment": (
        ("id", "username", "mode", "is_active", "created"),
        "mode = 'verified' AND position(toString(created), '.') = 0",
    ),
    "tag": (("id", "parent", "value", "lineage"), f"parent > 0 AND {PLAIN}"),
    "taxonomy": (("id", "name"), "id > 0"),
    "object_tag": (("id", "_value", "lineage", "object_id"), f"tag > 0 AND {PLAIN}"),
}
EXCERPT_ROWS = 4
#: Commands to try on the demo's site.
COMMANDS = (
    "cms aspects_status",
    "cms aspects_compare --object all",
    "cms dump_data_to_clickhouse --object taxonomy",
)
SESSION_KEY = "0123456789abcdef0123456789abcdef"
EDITED_BLOCK = ("problem", "problem_averted_vision")


class _RequestFailed(Exception):
    """Ends a request on the platform."""


class Day:
    """One day on the site in ``folder``, told on ``paper``."""

    def __init__(self, folder: Path, paper: Paper, script: Path):
        self.folder = folder
        self.paper = paper
        self.script = script
        self.log = Log()
        self.started = time.monotonic()
        self.worker = Worker(APP)
        self.learning = Learning(self)
        self.team = Team(self)
        self.demo: Demo
        self.coalesced: list[tuple[Any, ...]] = []
        self.changes = self.inserts = 0

    def live(self) -> None:
        """All of it. Raises DemoFailed when something is not as it should be."""
        self.paper.line("A day in the life of platform-plugin-aspects")
        self.prepare()
        try:
            self.backfill()
            self.act("The author publishes three times", "publishing", self.publish)
            self.act("Learners enroll, upgrade, leave and come back", "enrollments", self.enroll)
            self.act("Learners edit their profiles, in bursts", "profiles", self.edit_profiles)
            self.act("The author tags a block, renames a tag and deletes one", "tags", self.tag)
            self.away()
            self.retire()
            with self.learning.switched_on():
                self.learning.live()
                self.account()
                self.team.ask(self.learning.users)
            self.look_around()
        finally:
            close_clients()

    @property
    def clickhouse(self) -> ClickHouse:
        """The connection of the settings in force."""
        return get_client(Connection.from_settings())

    def deliver(self) -> None:
        """Deliver what has changed since, and let go of ClickHouse."""
        try:
            self.worker.run_until_quiet()
            self.settle()
        finally:
            close_clients()

    # Before the day

    def prepare(self) -> None:
        """The platform's database, its content, ClickHouse's tables."""
        self.paper.heading("The site")
        call_command("migrate", verbosity=0)
        self.demo = load_demo()
        self.paper.say(
            f"A course of {self.demo.blocks} blocks, a custom course (CCX) made from it, one course whose structure "
            f"is lost; {self.demo.learners} learners, {self.demo.enrollments} enrollments, {self.demo.external_ids} "
            f"external ids, {self.demo.tags} tags in {self.demo.taxonomies} taxonomies, {self.demo.object_tags} of "
            "them on content."
        )
        self.run("aspects_create_tables")

    def backfill(self) -> None:
        """Objects older than the plugin are written by a command."""
        self.paper.heading("Backfill")
        self.run("dump_data_to_clickhouse", "--object", "all")
        self.tell_log()
        # The CCX's coach was made as users are made, and not silently like the others.
        self.worker.run_until_quiet()
        self.settle()
        self.paper.say("ClickHouse's latest rows equal the source.")

    def run(self, name: str, *arguments: str, told: int = 0) -> None:
        """Run a command of the plugin and show what it says; ``told``: only so many lines, the last ones below 0."""
        self.paper.line(f"$ manage.py cms {' '.join((name, *arguments))}")
        out = io.StringIO()
        try:
            call_command(name, *arguments, stdout=out)
        except CommandError as error:
            raise DemoFailed(f"{name} says: {error}") from None
        lines = out.getvalue().splitlines()
        lines = lines[:told] if told > 0 else lines[told:]
        cells = [re.split(" {2,}", line.strip()) for line in lines]
        if len(cells[0]) > 1 and len(set(map(len, cells))) == 1:
            self.paper.table(cells[0], cells[1:], indent=0)
            return
        for line in lines:
            self.paper.say(shown(line), indent=2, hang=4)

    # The day

    def publish(self) -> str:
        """Three publishes of one course."""
        store = modulestore()
        block = self.demo.course_key.make_usage_key(*EDITED_BLOCK)
        for title in ("Averted vision", "Averted vison: try it", "Averted vision: try it \N{TELESCOPE} tonight"):
            store.edit(block, display_name=title)
            store.publish(self.demo.course_key)
        return "Three publishes are one writing of the course, and of the custom course that follows it."

    def enroll(self) -> str:
        """Every way in which an enrollment changes."""
        key = self.demo.course_key
        newcomers = [make_user(f"newcomer_{number:02}") for number in range(40)]
        for user in newcomers:
            CourseEnrollment.enroll(user, key, mode="audit")
        for user in newcomers[:15]:
            CourseEnrollment.get_enrollment(user, key).change_mode("verified")
        for user in newcomers[10:20]:
            CourseEnrollment.unenroll(user, key)
        for user in newcomers[18:20]:
            CourseEnrollment.get_enrollment(user, key).activate()
        pending = Change.objects.count()
        with suppress(_RequestFailed), transaction.atomic():
            CourseEnrollment.get_enrollment(newcomers[0], key).change_mode("honor")
            raise _RequestFailed
        self.expect(Change.objects.count() == pending, "a transaction was rolled back and left changes")
        return (
            "40 enroll, 15 upgrade from audit to verified, 10 leave, 2 of these come back; one more request fails "
            "and is rolled back, and its change with it."
        )

    def edit_profiles(self) -> str:
        """Fifty saves of one profile, one of many others."""
        one = UserProfile.objects.order_by("pk")[0]
        for number in range(1, 51):
            one.bio = f'Draft {number} of my life: \t"quoted", back\\slash, \N{WAVING HAND SIGN}\nand a second line'
            one.save()
        # The platform itself cannot log in a learner whose meta is invalid JSON.
        profiles = UserProfile.objects.exclude(pk=one.pk).filter(meta__in=("", "{}"))
        for profile in profiles.order_by("pk")[:100]:
            profile.set_login_session(SESSION_KEY)
        return (
            "One learner saves 50 times; 100 log in, and each login writes the session key into the profile's meta. "
            "That is 101 rows in one insert, without a session key."
        )

    def tag(self) -> str:
        """Tags on content come, change and go."""
        block = self.demo.course_key.make_usage_key(*EDITED_BLOCK)
        skills = Taxonomy.objects.get(export_id="skills_2026")
        tag_object(block, skills, "Naked eye", "Binoculars")
        observing = Tag.objects.get(taxonomy=skills, value="Observing")
        observing.value = "Observing the sky"
        observing.save()
        gone = ObjectTag.objects.filter(tag__children=None, tag__isnull=False).exclude(tag__taxonomy=skills)
        self.deleted_tag = gone.order_by("tag_id").values_list("tag_id", flat=True)[0]
        Tag.objects.get(pk=self.deleted_tag).delete()
        return (
            "Two tags on a block; a tag renamed, whose name stands in the lineage of the tags below it; a tag deleted, "
            "whose row leaves ClickHouse. The course is written again: its rows list its tags."
        )

    def act(self, title: str, name: str, happen: Callable[[], str]) -> None:
        """Let it happen, deliver, tell; ``name`` stands for it in the last table."""
        self.paper.heading(title)
        began = time.monotonic()
        self.paper.say(happen())
        # One task per sink and window (marks last for a second), and one for tags on content whose tag was renamed.
        windows = 1 + int(time.monotonic() - began)
        since = stamp_text(timezone.now())
        pending = self.pending()
        tasks = self.worker.run_until_quiet()
        most = windows * len(pending) + 1
        self.expect(len(tasks) <= most, f"{title}: {len(tasks)} tasks were asked for, not {most} at most")
        self.tell_delivery(name, pending, tasks, since)
        self.tell_log()
        self.settle()

    def away(self) -> None:
        """ClickHouse as a server that goes away for a moment and comes back."""
        self.paper.heading("ClickHouse is away for a moment")
        self.paper.say(
            "For this act the same engine stands behind HTTP, as a server, with the plugin's restricted user."
        )
        endpoint = ClickHouseEndpoint(self.folder / "clickhouse")
        with endpoint:
            server = {"url": endpoint.url, "username": "ch_cms", "password": "password", "database": "event_sink"}
            with override_settings(EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG=server):
                endpoint.stop()
                since = stamp_text(timezone.now())
                self.change_while_away()
                pending = self.pending()
                self.worker.run_what_waits()
                kept = Change.objects.count()
                expected = sum(changes for changes, _objects in pending.values())
                self.expect(kept == expected, f"{expected} changes were recorded and {kept} are kept while it is away")
                failed = SinkState.objects.filter(failures__gt=0).order_by("sink")
                self.expect(len(failed) == len(pending), "a delivery to a server that is away did not fail")
                self.paper.say(f"The port is closed: {kept} changes are kept.")
                self.tell_log()
                endpoint.start()
                tasks = self.worker.run_until_quiet()
                self.paper.say("The server is back, and the postponed tasks deliver. Nobody did anything.")
                self.tell_delivery("outage", pending, tasks, since)
                self.settle()
                users = {request.user for request in endpoint.requests}
                self.expect(users == {"ch_cms"}, f"ClickHouse was asked by {users}, not by the restricted user")

    def change_while_away(self) -> None:
        """Enrollments and a profile."""
        for enrollment in CourseEnrollment.objects.filter(is_active=True, mode="audit").order_by("pk")[:25]:
            enrollment.change_mode("verified")
        profile = UserProfile.objects.order_by("pk")[0]
        profile.name = "\N{RIGHT-TO-LEFT OVERRIDE}Renamed while ClickHouse was away"
        profile.save()

    def retire(self) -> None:
        """A learner is retired in the platform's order, with a delivery after each step."""
        self.paper.heading("A learner is retired")
        users = User.objects.filter(externalid__isnull=False, courseenrollment__is_active=True)
        user = users.filter(profile__name__regex='[a-z]+.*".+"').order_by("pk")[0]
        names = (user.username, user.email)
        tables = self.personal_tables()
        before = {table: self.rows_of(user.pk, table) for table in tables}
        self.expect(all(before.values()), f"the learner to be retired should be in {', '.join(tables)}, is in {before}")
        traces_before = self.traces(names)
        self.paper.say(
            f"User {user.pk}, {shown(user.username)}, named {shown(user.profile.name)}. The platform clears the "
            "profile, and saves it, in a later step than the one in which the plugin hears of the retirement."
        )
        steps = []
        for step in retirement_steps(user):
            self.worker.run_until_quiet()
            steps.append((step, *(self.rows_of(user.pk, table) for table in tables)))
            if step != "request" and step != "forums":
                self.expect(not any(steps[-1][1:]), f"after {step} rows of the retired learner are in ClickHouse")
        self.paper.table(("rows after the step", *tables), [("(before)", *before.values()), *steps])
        traces = self.traces(names)
        self.expect(not traces, f"the retired learner's username or email is still in {traces}")
        self.paper.say(
            f"The username or the email stood in {sum(traces_before.values())} rows of {', '.join(traces_before)}; "
            "now in no row of any table. Gone."
        )
        self.tell_log()
        self.settle()

    # Looking

    def personal_tables(self) -> list[str]:
        """The tables in EVENT_SINK_CLICKHOUSE_PII_MODELS that are tables."""
        existing = self.clickhouse.columns()
        return [name for name in env_tokens(self.folder)["EVENT_SINK_CLICKHOUSE_PII_MODELS"] if name in existing]

    def rows_of(self, user_id: int, table: str) -> int:
        """How many rows of a learner are in a table."""
        sql = f"SELECT count() FROM {self.clickhouse.qualified(table)} WHERE user_id = {{id:Int32}}"
        return int(self.clickhouse.select(sql, {"id": user_id})[0][0])

    def traces(self, texts: Sequence[str]) -> dict[str, int]:
        """Per table, in how many rows one of the texts stands in any column; only tables with such rows."""
        found = {}
        for table, columns in self.clickhouse.columns().items():
            everything = ", ".join(f"toString({quote(name)})" for name, _type in columns)
            sql = (
                f"SELECT count() FROM {self.clickhouse.qualified(table)} "
                f"WHERE multiSearchAny(concatWithSeparator(' ', {everything}), {{texts:Array(String)}})"
            )
            if count := self.clickhouse.select(sql, {"texts": list(texts)})[0][0]:
                found[table] = int(count)
        return found

    def pending(self) -> dict[str, tuple[int, int]]:
        """Per sink with changes: how many, and of how many objects."""
        found = Change.objects.values("sink").annotate(changes=Count("pk"), objects=Count("object_id", distinct=True))
        return {row["sink"]: (row["changes"], row["objects"]) for row in found.order_by("sink")}

    def written(self, table: str, since: str) -> tuple[int, int]:
        """(rows, inserts) of a table since a time_last_dumped."""
        sql = (
            f"SELECT count(), uniqExact(dump_id) FROM {self.clickhouse.qualified(table)} "
            "WHERE time_last_dumped >= {since:String}"
        )
        rows, inserts = self.clickhouse.select(sql, {"since": since})[0]
        return int(rows), int(inserts)

    # Telling

    def tell_delivery(self, act: str, pending: dict[str, tuple[int, int]], tasks: Sequence[str], since: str) -> None:
        """The pending changes and the written rows of each table."""
        lines = []
        for name, sink in sinks().items():
            changes, objects = pending.get(name, (0, 0))
            # Learning events are in another database, and a table without time_last_dumped.
            for table in sink.tables if sink.has_objects else ():
                rows, inserts = self.written(table.name, since)
                if changes or rows:
                    lines.append((table.name, changes, objects, rows, inserts))
                    # A writing of everything in one go is what the outbox is for.
                    most = 2 if name == "object_tag" else 1
                    self.expect(inserts <= most, f"{act}: {table.name} got {inserts} inserts, not {most} at most")
        self.paper.table(("table", "changes", "objects", "rows written", "inserts"), lines)
        self.paper.say(f"Tasks: {', '.join(tasks)}.", indent=2, hang=7)
        self.coalesced += [(act, *line) for line in lines if line[1]]
        self.changes += sum(changes for changes, _objects in pending.values())
        self.inserts += sum(inserts for *_counts, inserts in lines)

    def tell_log(self) -> None:
        """The plugin's new log lines."""
        for line in self.log.take():
            self.paper.say(f"log: {shown(line)}", indent=2, hang=5)

    def account(self) -> None:
        """The day's result: rows of the tables, changes by insert, the comparison with the source."""
        self.expect(self.rows_with_session() == 0, "a session key has come to ClickHouse")
        client = self.clickhouse
        self.paper.heading("In the evening: what is in ClickHouse")
        for table, (names, where) in EXCERPTS.items():
            count, objects = client.select(
                f"SELECT count(), uniqExact({key_column(table)}) FROM {client.qualified(table)}",
            )[0]
            self.paper.line()
            self.paper.line(f"{table}: {count} rows, states of {objects} objects")
            columns = ", ".join(map(quote, names))
            key = key_column(table)
            newest_first = f"ORDER BY time_last_dumped DESC, {key} LIMIT 1 BY {key} LIMIT {EXCERPT_ROWS}"
            sql = f"SELECT {columns} FROM {client.qualified(table)} WHERE {where} {newest_first}"
            self.paper.table(names, client.select(sql))
        self.learning.account()
        self.paper.heading("Many changes, few inserts")
        self.paper.table(("act", "table", "changes", "objects", "rows", "inserts"), self.coalesced)
        self.paper.heading("Source and ClickHouse")
        compared = self.compare()
        self.paper.table(("table", "latest rows that equal the source"), compared)
        self.paper.line()
        self.paper.say("Nothing is pending, nothing failed, and every latest row equals the source.")

    def look_around(self) -> None:
        """The figures to remember, and commands to paste."""
        self.paper.say(f"All as it should be, in {time.monotonic() - self.started:.1f} s.")
        self.paper.line()
        self.paper.headline(self.learning.headline())
        self.paper.headline(self.team.headline())
        self.paper.headline(f"{self.changes} changes became {self.inserts} inserts. Source and ClickHouse: equal.")
        self.paper.line()
        self.paper.say("Look around, in any shell:")
        for words in COMMANDS:
            self.paper.command(f"{shlex.quote(str(self.script))} {words}")

    def rows_with_session(self) -> int:
        """Profiles in ClickHouse with a session key."""
        sql = (
            f"SELECT count() FROM {self.clickhouse.qualified('user_profile')} "
            "WHERE multiSearchAny(meta, ['\"session_id\"', {key:String}])"
        )
        return int(self.clickhouse.select(sql, {"key": SESSION_KEY})[0][0])

    # Checking

    def settle(self) -> None:
        """Nothing is left to deliver and ClickHouse equals the source. Raises DemoFailed."""
        left = list(Change.objects.values_list("sink", "object_id", "error")[:5])
        self.expect(not left, f"changes are left after delivery: {left}")
        events = list(TrackingEvent.objects.values_list("name", "error")[:5])
        self.expect(not events, f"tracking events are left after delivery: {events}")
        failing = list(SinkState.objects.filter(failures__gt=0).values_list("sink", "last_error"))
        self.expect(not failing, f"deliveries failed: {failing}")
        self.compare()

    def compare(self) -> list[tuple[str, int]]:
        """(table, objects) of all tables, once every latest row equals the source. Raises DemoFailed."""
        compared = compare()
        for table, lines in compared.items():
            self.expect(not lines.different, f"{table} differs from the source: {'; '.join(lines.different[:3])}")
        return [(table, lines.objects) for table, lines in compared.items()]

    @staticmethod
    def expect(condition: Any, otherwise: str) -> None:
        """Raise DemoFailed when the condition does not hold."""
        if not condition:
            raise DemoFailed(otherwise)
