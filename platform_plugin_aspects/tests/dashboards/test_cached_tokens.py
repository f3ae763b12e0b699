"""The guest token of a page: its clauses, its person, its time in the cache, and the log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.dashboards.access.author_filters import RefusedFilter
from platform_plugin_aspects.dashboards.access.clauses import clauses_for
from platform_plugin_aspects.dashboards.access.tokens import guest_token
from platform_plugin_aspects.dashboards.superset.errors import (
    SupersetError,
    SupersetMisconfigured,
    SupersetRefused,
    SupersetTimeout,
    SupersetUnavailable,
)
from test_utils.silent_cache import CACHES
from test_utils.superset_endpoint import GRANT, READ, Reply, SupersetEndpoint

ONE, TWO = str(uuid4()), str(uuid4())
COURSE = CourseKey.from_string("course-v1:Org+Course+Run")
ADA = User(pk=815, username="ada.lovelace", email="ada@example.invalid")


@pytest.fixture
def superset(superset_endpoint: SupersetEndpoint) -> SupersetEndpoint:
    """Superset with two embedded dashboards."""
    superset_endpoint.dashboards |= {ONE, TWO}
    return superset_endpoint


def tokens_asked_for(superset: SupersetEndpoint) -> int:
    return superset.paths().count("guest_token")


def test_the_token_carries_the_courses_clauses_the_operators_and_the_authors(
    settings: Any, superset: SupersetEndpoint
) -> None:
    settings.SUPERSET_EXTRA_FILTERS_FORMAT = ["username = {user}"]
    claims = superset.read_guest_token(guest_token(ADA, COURSE, [TWO, ONE, TWO], ["mode = 'audit'"]))
    assert claims["user"] == {"username": "ada.lovelace"}
    assert sorted(resource["id"] for resource in claims["resources"]) == sorted([ONE, TWO])
    wanted = clauses_for(ADA, COURSE, ["mode = 'audit'"])
    assert len(wanted) == 4
    assert [rule["clause"] for rule in claims["rls_rules"]] == wanted


def test_a_thousand_page_views_of_one_person_take_one_token(superset: SupersetEndpoint) -> None:
    assert len({guest_token(ADA, COURSE, [ONE, TWO]) for _ in range(1000)}) == 1
    assert tokens_asked_for(superset) == 1


def test_a_thousand_at_the_same_time_too(superset: SupersetEndpoint) -> None:
    superset.hold("guest_token")
    with ThreadPoolExecutor(16) as threads:
        started = [threads.submit(guest_token, ADA, COURSE, [ONE, TWO]) for _ in range(1000)]
        superset.wait_for_held()
        superset.release()
        assert len({task.result() for task in started}) == 1
    assert superset.paths() == ["login", "csrf_token", "guest_token"]


def test_a_thousand_signed_at_the_same_time_too(settings: Any, superset: SupersetEndpoint) -> None:
    settings.SUPERSET_CONFIG = superset.config(guest_token_secret=superset.guest_token_secret)
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(lambda _: guest_token(ADA, COURSE, [ONE, TWO]), range(1000)))
    assert len(found) == 1
    assert superset.read_guest_token(found.pop())
    assert superset.requests == []


@pytest.mark.parametrize("is_minted", [False, True])
def test_a_token_is_given_out_for_half_its_life(is_minted: bool, settings: Any, superset: SupersetEndpoint) -> None:
    superset.guest_token_secs = 100
    secret = superset.guest_token_secret if is_minted else None
    first = _with(settings, superset, guest_token_secret=secret, guest_token_lifetime_secs=100)
    (ends_at,) = cache._expire_info.values()
    assert ends_at == pytest.approx(time.time() + 50, abs=5)
    cache.clear()
    assert guest_token(ADA, COURSE, [ONE]) != first


CHANGES: dict[str, Callable[[Any, SupersetEndpoint], str]] = {
    "another person": lambda settings, superset: guest_token(User(pk=816, username="grace"), COURSE, [ONE]),
    "a person of the same name": lambda settings, superset: guest_token(
        User(pk=816, username=ADA.username), COURSE, [ONE]
    ),
    "renamed": lambda settings, superset: guest_token(User(pk=ADA.pk, username="lovelace"), COURSE, [ONE]),
    "another course": lambda settings, superset: guest_token(
        ADA, CourseKey.from_string("course-v1:Org+Course+Run2"), [ONE]
    ),
    "more dashboards": lambda settings, superset: guest_token(ADA, COURSE, [ONE, TWO]),
    "other dashboards": lambda settings, superset: guest_token(ADA, COURSE, [TWO]),
    "a filter": lambda settings, superset: guest_token(ADA, COURSE, [ONE], ["mode = 'audit'"]),
    "another audience": lambda settings, superset: _with(settings, superset, guest_token_audience="elsewhere"),
    "minted": lambda settings, superset: _with(settings, superset, guest_token_secret="x" * 32),
}


def _with(settings: Any, superset: SupersetEndpoint, **config: Any) -> str:
    settings.SUPERSET_CONFIG = superset.config(**config)
    return guest_token(ADA, COURSE, [ONE])


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_is_nobody_elses_and_for_nothing_else(
    change: Callable[[Any, SupersetEndpoint], str], settings: Any, superset: SupersetEndpoint
) -> None:
    first = guest_token(ADA, COURSE, [ONE])
    assert change(settings, superset) != first


def test_another_superset_or_account_makes_another_token(settings: Any, superset: SupersetEndpoint) -> None:
    first = guest_token(ADA, COURSE, [ONE])
    superset.accounts["other"] = ("other", {GRANT, READ})
    assert _with(settings, superset, username="other", password="other") != first
    with SupersetEndpoint() as elsewhere:
        elsewhere.dashboards.add(ONE)
        elsewhere.read_guest_token(_with(settings, elsewhere))
        assert tokens_asked_for(elsewhere) == 1


def test_the_order_of_the_dashboards_does_not_matter(superset: SupersetEndpoint) -> None:
    assert guest_token(ADA, COURSE, [ONE, TWO]) == guest_token(ADA, COURSE, [TWO, ONE, TWO])


def test_the_cache_does_not_tell_whose_the_tokens_are(superset: SupersetEndpoint) -> None:
    guest_token(ADA, COURSE, [ONE])
    keys = " ".join(cache._cache)
    for secret in (ADA.username, "Org", ONE, superset.accounts["superset"][0]):
        assert secret not in keys


# Failures


FAILURES: dict[str, tuple[Reply, type[SupersetError]]] = {
    "unavailable": (Reply(503), SupersetUnavailable),
    "timeout": (Reply(504), SupersetTimeout),
    "refused": (Reply(400, {"message": "ada.lovelace"}), SupersetRefused),
    "misconfigured": (Reply(404), SupersetMisconfigured),
}


@pytest.mark.parametrize(("reply", "kind"), FAILURES.values(), ids=FAILURES)
def test_a_failure_tells_neither_secrets_nor_names(
    reply: Reply, kind: type[SupersetError], superset: SupersetEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    superset.plan("guest_token", reply)
    with pytest.raises(kind, match=f"POST {superset.url}") as caught:
        guest_token(ADA, COURSE, [ONE])
    bearer = superset.requests[-1].headers["Authorization"].removeprefix("Bearer ")
    for secret in (superset.accounts["superset"][0], bearer, "ada", "course_key"):
        assert secret not in f"{caught.value!r}{caplog.text}"


def test_a_failure_leaves_no_secret_to_error_reporters(superset: SupersetEndpoint) -> None:
    guest_token(ADA, COURSE, [TWO])
    superset.plan("guest_token", Reply(503))
    with pytest.raises(SupersetUnavailable) as caught:
        guest_token(ADA, COURSE, [ONE])
    seen = "".join(str(entry.frame.f_locals) for entry in caught.traceback[1:])
    assert ONE in seen
    assert superset.accounts["superset"][0] not in seen


def test_a_failure_is_not_remembered(superset: SupersetEndpoint) -> None:
    superset.plan("guest_token", Reply(503))
    with pytest.raises(SupersetUnavailable):
        guest_token(ADA, COURSE, [ONE])
    assert superset.read_guest_token(guest_token(ADA, COURSE, [ONE]))


def test_an_invalid_configuration_is_a_misconfiguration(settings: Any) -> None:
    settings.SUPERSET_CONFIG = {"service_url": "superset"}
    with pytest.raises(SupersetMisconfigured, match="service_url in SUPERSET_CONFIG is 'superset'"):
        guest_token(ADA, COURSE, [ONE])


def test_an_invalid_template_is_a_misconfiguration(settings: Any, superset: SupersetEndpoint) -> None:
    settings.SUPERSET_EXTRA_FILTERS_FORMAT = ["a = {nothing}"]
    with pytest.raises(SupersetMisconfigured, match="nothing"):
        guest_token(ADA, COURSE, [ONE])
    assert superset.requests == []


def test_a_refused_filter_is_its_authors_matter(superset: SupersetEndpoint) -> None:
    with pytest.raises(RefusedFilter):
        guest_token(ADA, COURSE, [ONE], ["1=1) OR (1=1"])
    assert superset.requests == []


def test_nobody_waits_for_ever_for_anothers_token(settings: Any, superset: SupersetEndpoint) -> None:
    settings.SUPERSET_CONFIG = superset.config(timeout_secs=1)
    superset.hold("guest_token")
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(guest_token, ADA, COURSE, [ONE])
        superset.wait_for_held()
        (asking,) = [key for key in cache._cache if key.endswith(".asking")]
        # It ends by itself, if the process that asks is killed.
        assert cache._expire_info[asking] == pytest.approx(time.time() + 1, abs=5)
        with pytest.raises(SupersetTimeout):
            first.result(timeout=60)
    cache.add(asking.removeprefix(":1:"), True, 60)
    with pytest.raises(SupersetTimeout, match="Another request"):
        guest_token(ADA, COURSE, [ONE])


def test_one_persons_wait_is_not_anothers(settings: Any, superset: SupersetEndpoint) -> None:
    guest_token(ADA, COURSE, [ONE])
    superset.hold("guest_token")
    waiting = threading.Thread(target=guest_token, args=(ADA, COURSE, [TWO]))
    waiting.start()
    superset.wait_for_held()
    assert guest_token(ADA, COURSE, [ONE])
    superset.release()
    waiting.join()


# Without a cache


@pytest.mark.parametrize("kind", CACHES)
def test_without_a_cache_everybody_gets_a_token_at_once(kind: str, settings: Any, superset: SupersetEndpoint) -> None:
    settings.CACHES = CACHES[kind]
    # Long enough for the test to fail by its time limit, should anybody wait for a request that nobody makes.
    settings.SUPERSET_CONFIG = superset.config(timeout_secs=3600)
    tokens = [guest_token(ADA, COURSE, [ONE, TWO]) for _ in range(3)]
    assert tokens_asked_for(superset) == 3
    for token in tokens:
        assert superset.read_guest_token(token)["user"] == {"username": "ada.lovelace"}


@pytest.mark.parametrize("kind", CACHES)
def test_without_a_cache_an_unknown_dashboard_is_left_out_all_the_same(
    kind: str, settings: Any, superset: SupersetEndpoint
) -> None:
    settings.CACHES = CACHES[kind]
    claims = superset.read_guest_token(guest_token(ADA, COURSE, [ONE, str(uuid4())]))
    assert claims["resources"] == [{"type": "dashboard", "id": ONE}]


class LateCache(LocMemCache):
    """The cache, whose first look shows what was there before the token."""

    looks = 0

    def get_many(self, keys: Any, version: Any = None) -> Any:
        LateCache.looks += 1
        return {} if LateCache.looks == 1 else super().get_many(keys, version)


def test_a_token_that_another_request_has_got_meanwhile_is_used(settings: Any, superset: SupersetEndpoint) -> None:
    """The token arrives after the first look, and the other request's mark is gone when we set ours."""
    token = guest_token(ADA, COURSE, [ONE])
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.LateCache"}}
    LateCache.looks = 0
    assert guest_token(ADA, COURSE, [ONE]) == token
    assert LateCache.looks == 2
    assert tokens_asked_for(superset) == 1
