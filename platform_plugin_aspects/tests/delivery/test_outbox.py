"""The outbox: few inserts for many changes, in whatever order things happen, and nothing left behind."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from common.djangoapps.student.models import UserProfile
from django.core.cache import cache
from django.db import connection, transaction
from opaque_keys.edx.keys import CourseKey
from waffle.models import Flag
from waffle.testutils import override_flag

from platform_plugin_aspects import optional_cache
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox, pending
from platform_plugin_aspects.delivery.deliver import Delivery, deliver_changes
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import BaseSink, Batch, Selection, UserProfileSink, Written
from platform_plugin_aspects.sinks.formats import stamp_text
from platform_plugin_aspects.tests.broker import Broker, worker
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.silent_cache import CACHES

WINDOW = 2


class Ledger(BaseSink):
    """A third party's sink that writes a dictionary into another one, and says how far it has come."""

    name = "ledger"
    model = "user_preference"
    batch_size = 3
    source: ClassVar[dict[str, int]] = {}
    written: ClassVar[list[dict[str, int]]] = []
    stamps: ClassVar[list[datetime]] = []
    #: Called with "before lock", "before reading" and "before writing".
    reached: ClassVar[Callable[[str], None]] = staticmethod(lambda point: None)

    @classmethod
    def is_enabled(cls) -> bool:
        cls.reached("before lock")
        return True

    def parse_key(self, text: str) -> str:
        return text

    def read(self, selection: Selection) -> Batch:
        self.reached("before reading")
        keys = [key for key in selection.keys or () if key in self.source]
        return Batch(keys, {"value": [self.source[key] for key in keys]})

    def write(self, batch: Batch, stamp: datetime) -> Written:
        self.reached("before writing")
        self.written.append(dict(zip(batch.keys, batch.columns["value"], strict=True)))
        self.stamps.append(stamp)
        return Written({"ledger": len(batch)})

    @classmethod
    def latest(cls) -> dict[str, int]:
        return {key: value for write in cls.written for key, value in write.items()}


@pytest.fixture
def ledger(settings: Any) -> Iterator[type[Ledger]]:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.Ledger"]
    _forget(Ledger)
    yield Ledger
    _forget(Ledger)


def _forget(ledger: type[Ledger]) -> None:
    ledger.source.clear()
    ledger.written.clear()
    ledger.stamps.clear()
    ledger.reached = staticmethod(lambda point: None)


def inserts(endpoint: ClickHouseEndpoint) -> int:
    return sum(request.statement.startswith("INSERT") for request in endpoint.requests)


# How often ClickHouse is written to


@pytest.mark.django_db(transaction=True)
def test_fifty_saves_of_a_profile_are_one_task_one_insert_and_one_row(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker
) -> None:
    (user,) = factories.make_many_users(1)
    for number in range(50):
        user.profile.city = f"city {number}"
        user.profile.save()
    assert Change.objects.count() == 50
    assert [sent.args for sent in broker.work()] == [("user_profile",)]
    assert inserts(clickhouse_http) == 1
    assert [row["city"] for row in rows(clickhouse, "user_profile")] == ["city 49"]
    assert not Change.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_saves_makes_one_insert_per_window(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker, settings: Any
) -> None:
    # No window ends but where the test says so.
    settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS = 600
    users = factories.make_many_users(1000)
    for number, user in enumerate(users, start=1):
        user.profile.city = f"city of {user.pk}"
        user.profile.save()
        if number % 250 == 0:
            # The window is over.
            assert len(broker.work()) == 1
    assert broker.take() == []
    assert inserts(clickhouse_http) == 4
    assert {row["user_id"]: row["city"] for row in rows(clickhouse, "user_profile")} == {
        user.pk: f"city of {user.pk}" for user in users
    }


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_a_thousand_saves_beside_a_worker_makes_at_most_five_inserts(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker, settings: Any
) -> None:
    # Longer than the default, for machines so busy that 1,000 saves are not a burst.
    settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS = 4
    users = factories.make_many_users(1000)
    with worker() as running:
        for start in range(0, 1000, 20):
            with transaction.atomic():
                for user in users[start : start + 20]:
                    user.profile.city = f"city of {user.pk}"
                    user.profile.save()
        running.until(lambda: not Change.objects.exists())
    assert inserts(clickhouse_http) <= 5
    assert {row["user_id"]: row["city"] for row in latest(clickhouse, "user_profile").values()} == {
        user.pk: f"city of {user.pk}" for user in users
    }


@pytest.mark.django_db(transaction=True)
def test_one_publish_is_two_inserts_whatever_is_recorded_for_it(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker
) -> None:
    key = factories.make_course(loudly=True)
    factories.publish_course(key)
    broker.work()
    assert inserts(clickhouse_http) == 2
    (course,) = rows(clickhouse, "course_overviews")
    blocks = rows(clickhouse, "course_blocks")
    assert {course["dump_id"]} == {row["dump_id"] for row in blocks}
    assert {course["time_last_dumped"]} == {row["time_last_dumped"] for row in blocks}


# Asking


@pytest.mark.django_db
@pytest.mark.parametrize(("window", "tasks"), [(2, 1), (0.5, 1), (30, 1), (0, 5)])
def test_within_a_window_a_sink_is_requested_once(
    ledger: type[Ledger], broker: Broker, settings: Any, window: float, tasks: int
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS = window
    for _ in range(5):
        outbox.request_delivery("ledger")
    sent = broker.take()
    assert [each.args for each in sent] == [("ledger",)] * tasks
    assert all(window - 10 < each.wait <= window for each in sent)


@pytest.mark.django_db(transaction=True)
def test_a_transaction_makes_one_request(ledger: type[Ledger], broker: Broker, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS = 0
    with transaction.atomic():
        for number in range(3):
            outbox.record("ledger", [number])
        outbox.record("tag", [1])
        with transaction.atomic():
            outbox.record("ledger", [3])
    assert [each.args for each in broker.take()] == [("ledger",), ("tag",)]
    assert Change.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_a_request_that_is_rolled_back_suppresses_no_other(ledger: type[Ledger], broker: Broker) -> None:
    with transaction.atomic():
        with suppress(ZeroDivisionError), transaction.atomic():
            outbox.record("ledger", [1])
            raise ZeroDivisionError
        with transaction.atomic():
            outbox.record("ledger", [2])
        outbox.record("ledger", [3])
    assert [each.args for each in broker.take()] == [("ledger",)]
    assert sorted(Change.objects.values_list("object_id", flat=True)) == ["2", "3"]


@pytest.mark.django_db
def test_each_sink_has_a_window_of_its_own(ledger: type[Ledger], broker: Broker) -> None:
    for name in ("ledger", "user_profile", "ledger", "user_profile"):
        outbox.request_delivery(name)
    assert broker.asked() == ["ledger", "user_profile"]


@pytest.mark.django_db
def test_each_service_has_windows_of_its_own(ledger: type[Ledger], broker: Broker, settings: Any) -> None:
    """LMS and CMS share the cache, not the workers."""
    for variant in ("cms", "lms", "cms"):
        settings.SERVICE_VARIANT = variant
        outbox.request_delivery("ledger")
    assert broker.asked() == ["ledger", "ledger"]


@pytest.mark.django_db
def test_a_delivery_ends_the_window(ledger: type[Ledger], broker: Broker) -> None:
    outbox.request_delivery("ledger")
    deliver_changes("ledger")
    outbox.request_delivery("ledger")
    assert broker.asked() == ["ledger", "ledger"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", CACHES)
def test_a_cache_that_is_down_suppresses_no_request(
    ledger: type[Ledger], broker: Broker, settings: Any, kind: str
) -> None:
    settings.CACHES = CACHES[kind]
    ledger.source.update(a=1, b=2)
    outbox.record("ledger", ["a"])
    outbox.record("ledger", ["b"])
    assert [sent.args for sent in broker.work()] == [("ledger",), ("ledger",)]
    assert ledger.latest() == {"a": 1, "b": 2}

    # Nor the sweep.
    Change.objects.create(sink="ledger", object_id="a")
    assert outbox.request_pending() == ["ledger"]
    assert broker.asked() == ["ledger"]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", CACHES)
def test_without_a_cache_a_flag_for_everyone_is_on(settings: Any, kind: str) -> None:
    settings.CACHES = CACHES[kind]
    assert not UserProfileSink.is_enabled()
    Flag.objects.bulk_create([Flag(name="event_sink_clickhouse.user_profile.enabled", everyone=True)])
    assert UserProfileSink.is_enabled()


@pytest.mark.django_db
def test_pending_sinks_are_requested_unless_off_unknown_or_waiting(
    ledger: type[Ledger], broker: Broker, settings: Any
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAXONOMY_ENABLED = settings.EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED = True
    now = datetime.now(UTC)
    for sink, retry_at in (
        ("ledger", None),
        ("user_profile", None),  # off
        ("gone", None),  # no sink
        ("taxonomy", None),
        ("external_id", now + timedelta(minutes=1)),  # one bad object
    ):
        Change.objects.create(sink=sink, object_id="1", retry_at=retry_at)
    SinkState.objects.create(sink="taxonomy", retry_at=now + timedelta(minutes=1))
    assert outbox.request_pending() == ["ledger"]
    assert broker.asked() == ["ledger"]

    # Their time has come.
    SinkState.objects.update(retry_at=now)
    Change.objects.filter(sink="external_id").update(retry_at=now)
    assert outbox.request_pending() == ["external_id", "ledger", "taxonomy"]
    assert broker.asked() == ["external_id", "taxonomy"]


# In every order


class _Schedule:
    """Savers, each of whom commits a change and then asks, beside workers; one way of taking turns.

    Where there is a choice, ``turn`` takes the one that ``choices`` prescribes (then the first) and notes how many
    there were. Workers are the real task run from the real queue, and give way to the savers where ``Ledger.reached``
    is called. Only one can be beyond "before lock"; another that comes meanwhile finds the sink busy.
    """

    def __init__(
        self,
        objects: Sequence[str],
        choices: Sequence[int],
        commit: Callable[..., AbstractContextManager[list[Callable[[], Any]]]],
    ):
        self.choices = list(choices)
        self.taken: list[tuple[int, int]] = []
        self.story: list[str] = []
        self.commit = commit
        self.savers: list[list[Callable[[], None]]] = []
        for number, object_id in enumerate(objects, start=1):
            asking: list[Callable[[], Any]] = []
            self.savers.append(
                [
                    lambda name=object_id, value=number, asking=asking: self._commit(name, value, asking),
                    lambda asking=asking, value=number: self._ask(value, asking),
                ]
            )
        self.queue: list[Any] = []
        self.busy_once = False
        self.depth = 0

    def _commit(self, object_id: str, value: int, asking: list[Callable[[], Any]]) -> None:
        self.story.append(f"{value} commits {object_id}")
        with self.commit() as callbacks, transaction.atomic():
            Ledger.source[object_id] = value
            outbox.record("ledger", [object_id])
        asking.extend(callbacks)
        # As after a commit: the next one is another transaction's.
        connection.run_on_commit.clear()

    def _ask(self, value: int, asking: list[Callable[[], Any]]) -> None:
        self.story.append(f"{value} asks")
        for callback in asking:
            callback()

    def _work(self) -> None:
        self.story.append("a worker begins")
        self.depth += 1
        self.queue.pop(0).run()
        self.depth -= 1
        self.story.append("a worker ends")

    def _be_busy(self) -> None:
        # On SQLite another worker would wait; elsewhere this is what it does.
        self.story.append("a worker finds it busy")
        self.busy_once = True
        self.queue.pop(0)
        optional_cache.delete(outbox.request_flag("ledger"))
        outbox.enqueue("ledger", WINDOW)

    def turn(self, point: str) -> None:
        """Let others take their steps, until it is the turn of the one who asks."""
        while True:
            self.queue += Broker().take()
            options = [saver for saver in self.savers if saver]
            steps: list[Callable[[], None] | None] = [lambda saver=saver: saver.pop(0)() for saver in options]
            if self.queue and point == "idle":
                steps.append(self._work)
            if self.queue and point == "before lock" and self.depth == 1:
                steps.append(self._work)
            if self.queue and point in ("before reading", "before writing") and not self.busy_once:
                steps.append(self._be_busy)
            if point != "idle":
                steps.insert(0, None)
            if not steps:
                return
            choice = self.choices.pop(0) if self.choices else 0
            self.taken.append((choice, len(steps)))
            step = steps[choice]
            if step is None:
                self.story.append(f"the worker goes on {point}")
                return
            step()

    def run(self) -> None:
        Ledger.reached = staticmethod(self.turn)
        self.turn("idle")


def _all_schedules(run: Callable[[list[int]], list[tuple[int, int]]]) -> int:
    """Run with every sequence of choices there is; returns how many there were."""
    choices: list[int] = []
    for number in itertools.count(1):
        taken = run(choices)
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return number
        choices = [choice for choice, _of in taken[:-1]] + [taken[-1][0] + 1]
    raise AssertionError


@pytest.mark.django_db
@pytest.mark.parametrize("objects", [("a", "a"), ("a", "b")])
def test_no_order_of_steps_leaves_a_change_behind(
    ledger: type[Ledger], broker: Broker, django_capture_on_commit_callbacks: Any, objects: Sequence[str]
) -> None:
    def run(choices: list[int]) -> list[tuple[int, int]]:
        _forget(ledger)
        cache.clear()
        schedule = _Schedule(objects, choices, django_capture_on_commit_callbacks)
        schedule.run()
        story = "; ".join(schedule.story)
        assert not Change.objects.exists(), story
        assert ledger.latest() == ledger.source, story
        assert len(ledger.source) == len(set(objects))
        return schedule.taken

    assert _all_schedules(run) > 100


@pytest.mark.django_db(transaction=True)
def test_a_change_recorded_while_its_object_is_being_written_is_delivered_next(
    ledger: type[Ledger], broker: Broker
) -> None:
    ledger.source["a"] = 1

    def save_again(point: str) -> None:
        if point == "before writing" and ledger.source["a"] < 3:
            ledger.source["a"] += 1
            outbox.record("ledger", ["a"])

    ledger.reached = staticmethod(save_again)
    outbox.record("ledger", ["a"])
    assert len(broker.work()) == 3
    assert ledger.written == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_the_next_sweep_finds_a_change_without_a_request(ledger: type[Ledger], broker: Broker) -> None:
    """The process died between the commit and the asking, or the broker lost the task."""
    ledger.source["a"] = 1
    Change.objects.create(sink="ledger", object_id="a")
    assert outbox.request_pending() == ["ledger"]
    broker.work()
    assert ledger.latest() == {"a": 1}


# What a delivery does


@pytest.mark.django_db
@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize("changes_at_once", [1, 4, 10_000])
def test_everything_is_written_once_in_batches(
    ledger: type[Ledger], monkeypatch: pytest.MonkeyPatch, batch_size: int, changes_at_once: int
) -> None:
    monkeypatch.setattr(ledger, "batch_size", batch_size)
    monkeypatch.setattr(pending, "CHANGES_AT_ONCE", changes_at_once)
    monkeypatch.setattr(outbox, "ROWS_AT_ONCE", 2)
    ledger.source.update({str(number): number for number in range(10)})
    outbox.record("ledger", ledger.source)
    result = deliver_changes("ledger")
    assert (result.status, result.changes, result.objects, result.deleted) == ("delivered", 10, 10, 0)
    assert result.outcome.rows == Counter(ledger=10)
    assert ledger.latest() == ledger.source
    assert sum(map(len, ledger.written)) == 10
    assert all(len(write) <= batch_size for write in ledger.written)
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_the_change_of_an_object_that_is_gone_is_deleted(ledger: type[Ledger]) -> None:
    outbox.record("ledger", ["gone"])
    result = deliver_changes("ledger")
    assert (result.status, result.changes, result.objects) == ("delivered", 1, 0)
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_nothing_pending_writes_nothing_and_is_delivered(ledger: type[Ledger]) -> None:
    assert deliver_changes("ledger") == Delivery("ledger")
    assert ledger.written == []


@pytest.mark.django_db
def test_a_success_is_noted(ledger: type[Ledger]) -> None:
    ledger.source["a"] = 1
    earlier = datetime.now(UTC)
    outbox.record("ledger", ["a"])
    deliver_changes("ledger")
    state = SinkState.objects.get(sink="ledger")
    assert str(state) == "ledger"
    assert earlier <= state.last_success_at <= datetime.now(UTC)
    assert (state.failures, state.retry_at, state.last_error) == (0, None, "")


@pytest.mark.django_db
def test_deletions_are_counted(all_on: None, clickhouse: ClickHouse) -> None:
    taxonomies = [factories.make_taxonomy() for _ in range(3)]
    deliver_changes("taxonomy")
    for taxonomy in taxonomies[:2]:
        taxonomy.delete()
    result = deliver_changes("taxonomy")
    assert (result.changes, result.objects, result.deleted) == (2, 0, 2)
    assert set(latest(clickhouse, "taxonomy")) == {taxonomies[2].pk}


@pytest.mark.django_db
@pytest.mark.parametrize("on", [True, False])
def test_dependents_of_a_tag_are_recorded_if_their_sink_is_on(settings: Any, clickhouse: ClickHouse, on: bool) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAG_ENABLED = True
    tag = factories.make_tag()
    object_tag = factories.make_object_tag("course-v1:a+b+c", tag)
    settings.EVENT_SINK_CLICKHOUSE_OBJECT_TAG_ENABLED = on
    assert deliver_changes("tag").objects == 1
    assert list(Change.objects.values_list("sink", "object_id")) == [("object_tag", str(object_tag.pk))] * on


@pytest.mark.django_db
def test_custom_courses_follow_their_master(all_on: None, clickhouse: ClickHouse) -> None:
    key = factories.make_course()
    ccx = factories.make_ccx(key)
    Change.objects.all().delete()
    outbox.record("course_overviews", [key])
    assert deliver_changes("course_overviews").objects == 2
    assert set(latest(clickhouse, "course_overviews", "course_key")) == {str(key), str(ccx)}


@pytest.mark.django_db
def test_keys_go_through_the_outbox_as_text(all_on: None, clickhouse: ClickHouse) -> None:
    key = CourseKey.from_string("course-v1:Ünï+코스+2026_α")
    factories.make_overview(key)
    outbox.record("course_overviews", [key])
    assert Change.objects.get().object_id == str(key)
    deliver_changes("course_overviews")
    assert set(latest(clickhouse, "course_overviews", "course_key")) == {str(key)}


@pytest.mark.django_db
def test_an_unknown_sink_is_an_error_that_names_those_there_are(ledger: type[Ledger]) -> None:
    Change.objects.create(sink="gone", object_id="1")
    with pytest.raises(LookupError, match=r"Unknown sink 'gone'\. Known sinks: .*user_profile.*ledger"):
        deliver_changes("gone")
    assert Change.objects.count() == 1


@pytest.mark.django_db
def test_the_changes_of_a_disabled_sink_are_kept_until_it_is_on(clickhouse: ClickHouse, broker: Broker) -> None:
    profile = factories.make_user().profile
    Change.objects.create(sink="user_profile", object_id=str(profile.pk))
    assert deliver_changes("user_profile") == Delivery("user_profile", status="off")
    assert Change.objects.count() == 1
    assert broker.take() == []
    with override_flag("event_sink_clickhouse.user_profile.enabled", active=True):
        assert deliver_changes("user_profile").objects == 1
    assert set(latest(clickhouse, "user_profile")) == {profile.pk}


# Stamps


@pytest.mark.django_db
def test_stamps_increase_though_the_clock_goes_back(ledger: type[Ledger], clickhouse: ClickHouse, all_on: None) -> None:
    future = datetime(2099, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC)
    profile = factories.make_user().profile
    SinkState.objects.create(sink="user_profile", last_stamp=future)
    for city in ("first", "second", "third"):
        profile.city = city
        profile.save()
        deliver_changes("user_profile")
    found = [(row["time_last_dumped"], row["city"]) for row in rows(clickhouse, "user_profile")]
    expected = [future + timedelta(microseconds=number) for number in (1, 2, 3)]
    assert found == list(zip(map(stamp_text, expected), ("first", "second", "third"), strict=True))
    assert take_stamp("user_profile") == future + timedelta(microseconds=4)


@pytest.mark.django_db
def test_stamps_are_taken_before_the_source_is_read(ledger: type[Ledger]) -> None:
    moments: list[datetime] = []
    ledger.reached = staticmethod(lambda point: moments.append(datetime.now(UTC)) if "reading" in point else None)
    ledger.source["a"] = 1
    outbox.record("ledger", ["a"])
    before = datetime.now(UTC)
    deliver_changes("ledger")
    assert before <= ledger.stamps[0] <= moments[0]


@pytest.mark.django_db
def test_every_stamp_of_a_sink_is_later_than_the_one_before(ledger: type[Ledger]) -> None:
    ledger.source["a"] = 1
    taken = []
    for _ in range(20):
        taken.append(take_stamp("ledger"))
        outbox.record("ledger", ["a"])
        deliver_changes("ledger")
        taken.append(ledger.stamps[-1])
    assert taken == sorted(set(taken))


@pytest.mark.django_db
def test_each_delivery_has_one_dump_id_and_one_time(all_on: None, clickhouse: ClickHouse) -> None:
    factories.make_user()
    factories.make_user()
    deliver_changes("user_profile")
    UserProfile.objects.first().save()
    deliver_changes("user_profile")
    writes = Counter((row["dump_id"], row["time_last_dumped"]) for row in rows(clickhouse, "user_profile"))
    assert sorted(writes.values()) == [1, 2]
