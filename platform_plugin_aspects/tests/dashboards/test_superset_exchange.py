"""An exchange with Superset ends in time whatever comes back, is of limited size, and shows no secret in its frames."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
import urllib3
from django.core.cache import cache
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.grants import Reader
from platform_plugin_aspects.dashboards.superset import guest_tokens, transport
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import (
    SupersetError,
    SupersetMisconfigured,
    SupersetRefused,
    SupersetTimeout,
    SupersetUnavailable,
)
from platform_plugin_aspects.dashboards.superset.guest_tokens import get_guest_token
from platform_plugin_aspects.dashboards.superset.session import sessions
from test_utils.superset_endpoint import Reply, SupersetEndpoint

LOG_IN = ["login", "csrf_token"]
MANY = [str(UUID(int=number)) for number in range(1, 62)]
CLAUSES = ["org = 'A'"]


@pytest.fixture
def superset(superset_endpoint: SupersetEndpoint) -> SupersetEndpoint:
    """Superset with 61 embedded dashboards."""
    superset_endpoint.dashboards |= set(MANY)
    return superset_endpoint


def resources(superset: SupersetEndpoint, *uuids: str) -> list[str]:
    claims = superset.read_guest_token(get_guest_token("ada", uuids or MANY, CLAUSES).token)
    return [resource["id"] for resource in claims["resources"]]


# Time


@contextmanager
def dribbling(start: bytes, piece: bytes) -> Iterator[str]:
    """A server that sends ``start``, and then ``piece`` again and again, each long before anybody gives up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            taken = []
            while not over.is_set():
                try:
                    connection, _address = server.accept()
                    connection.sendall(start)
                    taken.append(connection)
                except TimeoutError:
                    pass
                for connection in list(taken):
                    try:
                        connection.sendall(piece)
                    except OSError:
                        taken.remove(connection)
            for connection in taken:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            over.set()
            thread.join()


DRIBBLES = {
    "status line": (b"", b"H"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize(("start", "piece"), DRIBBLES.values(), ids=DRIBBLES)
def test_an_answer_that_never_ends_is_given_up_in_time(start: bytes, piece: bytes, settings: Any) -> None:
    # Each piece comes in a tenth of a second. Without an end for all of it, the test's time limit would be met.
    with dribbling(start, piece) as url:
        settings.SUPERSET_CONFIG = {"service_url": url, "timeout_secs": 0.3}
        with pytest.raises(SupersetTimeout, match=r"was not answered within 0\.3 s"):
            get_guest_token("ada", MANY[:1], CLAUSES)


def test_the_time_is_for_all_requests_of_an_exchange(superset: SupersetEndpoint, settings: Any) -> None:
    deadline = transport.Deadline(5)
    with deadline.running():
        assert 0 < deadline.left() <= 5
    spent = transport.Deadline(0)
    with pytest.raises(TimeoutError):
        spent.left()
    superset.plan("login", *[Reply(0)] * 2)
    settings.SUPERSET_CONFIG = superset.config()
    sessions.clear()
    with pytest.raises(SupersetTimeout, match="was not answered within 0 s"):
        guest_tokens.request_token(
            guest_tokens.service_session(SupersetConfig.from_settings()), "ada", MANY[:1], CLAUSES, spent
        )
    assert superset.requests == []


def test_a_kept_connection_does_not_inherit_the_end_of_the_exchange_before(superset: SupersetEndpoint) -> None:
    for _ in range(3):
        assert resources(superset, MANY[0]) == [MANY[0]]
    assert superset.connections == 1


# Size


def test_an_answer_that_is_too_large_is_refused(superset: SupersetEndpoint) -> None:
    superset.plan("login", Reply(200, " " * (transport.MOST_BYTES + 1)))
    with pytest.raises(SupersetRefused, match="with more than 4 MiB"):
        resources(superset)
    superset.plan("login", Reply(200, " " * transport.MOST_BYTES))
    with pytest.raises(SupersetRefused, match="without access_token"):
        resources(superset)
    assert resources(superset) == MANY


@pytest.mark.skipif(urllib3.__version__ < "2.6", reason="earlier ones unpack all that has come at once")
def test_an_answer_that_unpacks_to_too_much_is_refused() -> None:
    bomb = zlib.compress(bytes(transport.MOST_BYTES * 10))
    raw = urllib3.HTTPResponse(body=_File(bomb), headers={"Content-Encoding": "deflate"}, preload_content=False)
    with pytest.raises(transport.TooLarge):
        transport.read_all(raw)


class _File:
    """The bytes as a connection gives them."""

    def __init__(self, data: bytes):
        self.data = data
        self.closed = False

    def read(self, amount: int | None = None) -> bytes:
        amount = len(self.data) if amount is None else amount
        piece, self.data = self.data[:amount], self.data[amount:]
        return piece

    def close(self) -> None:
        self.closed = True


# Unknown dashboards


@pytest.mark.parametrize("place", [0, 30, 31, 60])
def test_one_unknown_dashboard_among_many_is_found_by_halving(place: int, superset: SupersetEndpoint) -> None:
    superset.dashboards.discard(MANY[place])
    known = [uuid for uuid in MANY if uuid != MANY[place]]
    assert resources(superset) == known
    # The refusal; at most two for each halving of 61; the token.
    assert superset.paths().count("guest_token") <= 1 + 2 * 6 + 1
    superset.clear()
    assert resources(superset) == known
    assert superset.paths() == ["guest_token"]


@hypothesis_settings(max_examples=25)
@given(missing=st.sets(st.sampled_from(MANY[:8])))
def test_whatever_is_unknown_is_found(missing: set[str], superset: SupersetEndpoint) -> None:
    cache.clear()
    superset.dashboards |= set(MANY)
    superset.dashboards -= missing
    known = [uuid for uuid in MANY[:8] if uuid not in missing]
    if known:
        assert resources(superset, *MANY[:8]) == known
    else:
        with pytest.raises(SupersetRefused, match="knows none of the dashboards"):
            resources(superset, *MANY[:8])


def test_one_process_looks_for_them_and_others_use_what_it_found(superset: SupersetEndpoint) -> None:
    superset.dashboards.discard(MANY[7])
    assert cache.add(guest_tokens.SEARCH, True, 60)  # another process has begun
    started = threading.Event()

    def find() -> None:
        started.wait()
        cache.set(guest_tokens.unknown_key(MANY[7]), True, 60)
        cache.delete(guest_tokens.SEARCH)

    with ThreadPoolExecutor(1) as threads:
        superset.hold("guest_token")
        other = threads.submit(find)
        waiting = ThreadPoolExecutor(1)
        asked = waiting.submit(resources, superset)
        superset.wait_for_held()
        superset.release()
        started.set()
        other.result()
        assert asked.result() == [uuid for uuid in MANY if uuid != MANY[7]]
        waiting.shutdown()
    assert superset.paths() == [*LOG_IN, "guest_token", "guest_token"]


def test_others_refuse_when_it_takes_longer(superset: SupersetEndpoint) -> None:
    superset.dashboards.discard(MANY[7])
    assert cache.add(guest_tokens.SEARCH, True, 60)
    with pytest.raises(SupersetUnavailable, match="Another request is finding out"):
        resources(superset)
    assert superset.paths() == [*LOG_IN, "guest_token"]


def test_what_was_found_before_the_time_was_over_is_kept(
    superset: SupersetEndpoint, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    superset.dashboards -= {MANY[0], MANY[60]}
    # The last of the two is not found: Superset stops in between.
    replies = iter(range(1000))
    answer = SupersetEndpoint.planned_reply

    def stop_after_one(path: str) -> Reply | None:
        if "guest_token" in path and next(replies) == 8:
            return Reply(503, "")
        return answer(superset, path)

    superset.planned_reply = stop_after_one  # type: ignore[method-assign]
    with pytest.raises(SupersetUnavailable):
        resources(superset)
    del superset.planned_reply
    assert cache.get(guest_tokens.unknown_key(MANY[0])) is True
    assert cache.get(guest_tokens.SEARCH) is None
    assert resources(superset) == MANY[1:60]
    named = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [MANY[0] in text for text in named] == [True, False]


# Secrets


PASSWORD, SECRET = "s3cret-p4ssw0rd", "guest-s3cret-0123456789-0123456789"


def frames_of(error: BaseException) -> str:
    """The text of an error reporter: the variables of every frame, of the causes and contexts too."""
    shown, seen = [], set()
    todo: list[BaseException | None] = [error]
    while todo:
        error = todo.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        todo.append(error.__cause__ if error.__suppress_context__ else error.__context__)
        shown += [repr(error), str(error)]
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if "/tests/" not in code.co_filename:
                shown += [f"{code.co_name}.{name}={value!r}" for name, value in trace.tb_frame.f_locals.items()]
            trace = trace.tb_next
    return "\n".join(shown)


class _Interrupt(BaseException):
    """An exception that ends a worker in the middle of anything."""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGUSR1 interrupts this thread."""

    def interrupt(*_args: Any) -> None:
        raise _Interrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield
    signal.signal(signal.SIGUSR1, before)


def interrupt_wait(superset: SupersetEndpoint, step: str) -> None:
    """This thread is interrupted while it waits for an answer."""
    superset.hold(step)

    def interrupt() -> None:
        superset.wait_for_held()
        waiter = threading.main_thread().ident or 0
        # Superset has the request before its sender comes back from sending it.
        while sys._current_frames()[waiter].f_code.co_name != "readinto":
            time.sleep(0.001)
        signal.pthread_kill(waiter, signal.SIGUSR1)

    threading.Thread(target=interrupt).start()


#: Faults: the step, and how it fails.
FAULTS: dict[str, Callable[[SupersetEndpoint, Any], Any]] = {
    "a refused login": lambda superset, _settings: superset.plan("login", Reply(401, {"message": "no"})),
    "a broken login": lambda superset, _settings: superset.plan("login", Reply(500, "")),
    "a login that is cut": lambda superset, _settings: superset.plan("login", Reply(0), Reply(0)),
    "a CSRF token that is cut": lambda superset, _settings: superset.plan("csrf", Reply(0), Reply(0)),
    "an invalid guest token": lambda superset, _settings: superset.plan("guest", Reply(200, "x")),
    "no Superset": lambda superset, _settings: superset.stop(),
    "a login that is interrupted": lambda superset, _settings: interrupt_wait(superset, "login"),
    "a CSRF token that is interrupted": lambda superset, _settings: interrupt_wait(superset, "csrf"),
    "a guest token that is interrupted": lambda superset, _settings: interrupt_wait(superset, "guest"),
    "a timeout": lambda superset, settings: (
        superset.hold("login"),
        settings.SUPERSET_CONFIG.update(timeout_secs=0.1),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_no_secret_stands_in_the_frames_of_an_error(
    name: str, superset: SupersetEndpoint, interruptible: None, settings: Any
) -> None:
    superset.accounts["superset"] = (PASSWORD, superset.accounts["superset"][1])
    settings.SUPERSET_CONFIG = superset.config()
    FAULTS[name](superset, settings)
    with pytest.raises((SupersetError, _Interrupt)) as caught:
        get_guest_token("ada", MANY[:1], CLAUSES)
    shown = frames_of(caught.value)
    superset.release()
    superset.wait_until_idle()  # a request is listed when it is answered
    assert "get_guest_token.username='ada'" in shown  # frames are looked at
    assert PASSWORD not in shown
    for request in superset.requests:
        secrets = [
            request.headers[name] for name in ("Authorization", "X-CSRFToken", "Cookie") if name in request.headers
        ]
        assert not [secret for secret in secrets if secret.removeprefix("Bearer ") in shown]


@pytest.mark.parametrize(
    ("setting", "value", "read"),
    [
        ("SUPERSET_CONFIG", {"service_url": "nonsense"}, SupersetConfig.from_settings),
        ("SUPERSET_CONFIG", {"timeout_secs": "soon"}, SupersetConfig.from_settings),
        ("SUPERSET_CONFIG", {"guest_token_algorithm": "RS256"}, SupersetConfig.from_settings),
        ("EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG", {"timeout_secs": "soon"}, Connection.from_settings),
        ("EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG", {"url": f"ftp://me:{PASSWORD}@host"}, Connection.from_settings),
        ("ASPECTS_SUPERSET_READER", {"relations": [5]}, lambda: Reader.from_settings([])),
    ],
)
def test_no_secret_stands_in_the_frames_of_an_error_about_settings(
    setting: str, value: dict[str, Any], read: Callable[[], Any], settings: Any
) -> None:
    setattr(settings, setting, {"password": PASSWORD, "guest_token_secret": SECRET, **value})
    with pytest.raises((SupersetMisconfigured, Misconfigured)) as caught:
        read()
    shown = frames_of(caught.value)
    assert "call.function=" in shown  # frames are looked at
    assert PASSWORD not in shown
    assert SECRET not in shown
