"""HTTP to Superset that ends in time, and takes answers of limited size.

The timeout of requests is for each piece that arrives: with a byte a second an answer would hold its thread for ever.
Here all reading from the socket gets what is left until a deadline.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from platform_plugin_aspects.redaction import HiddenBytes

#: The largest answer: guest tokens take some KiB, and pages of Superset some hundred.
MOST_BYTES = 4 * 1024 * 1024


class TooLarge(Exception):
    """An answer has more than MOST_BYTES."""


class Deadline:
    """The end of an exchange that may take so many seconds in all."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """The seconds until then, more than 0. Raises TimeoutError when it is over."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"The {self.seconds} s are over")
        return left

    def left_or(self, least: float) -> float:
        """The seconds until then, or ``least`` where that is more."""
        return max(self._at - time.monotonic(), least)

    @contextmanager
    def running(self) -> Iterator[None]:
        """All reading by sessions of ``new_session`` in this context ends in time."""
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)


_running: ContextVar[Deadline | None] = ContextVar("platform_plugin_aspects.deadline", default=None)


class _TimedFile(io.RawIOBase):
    """The data that a socket receives, each piece of it in the time that is left."""

    def __init__(self, sock: socket.socket, file: io.RawIOBase, deadline: Deadline):
        self._sock = sock
        self._file = file
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any):
        super().__init__(sock, *args, **kwargs)
        deadline = _running.get()
        if deadline is not None:
            self.fp = io.BufferedReader(_TimedFile(sock, self.fp.detach(), deadline))


def _timed(pool: type[urllib3.HTTPConnectionPool]) -> type[urllib3.HTTPConnectionPool]:
    """The pool, with connections whose answers are timed."""
    connection = type("_TimedConnection", (pool.ConnectionCls,), {"response_class": _TimedResponse})
    return type("_TimedPool", (pool,), {"ConnectionCls": connection})


_POOLS = {"http": _timed(urllib3.HTTPConnectionPool), "https": _timed(urllib3.HTTPSConnectionPool)}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: redirects are not followed, and not even read."""


def new_session() -> requests.Session:
    """A session for ``request``."""
    session = _Session()
    session.headers["Accept-Encoding"] = "identity"  # what is not packed cannot unpack to more
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


def request(session: requests.Session, method: str, url: str, deadline: Deadline, **options: Any) -> requests.Response:
    """The whole answer, which may be an error or a redirect.

    Raises requests.RequestException, TimeoutError at the deadline, and TooLarge.
    """
    options |= {"stream": True, "allow_redirects": False}
    with deadline.running():
        try:
            response = session.request(method, url, timeout=deadline.left(), **options)
        except requests.ConnectionError as error:
            if not isinstance(error.args[0], urllib3.exceptions.ProtocolError):
                raise
            # Cut before the answer, as when Superset closes a kept connection while we send. To ask twice does no harm.
            response = session.request(method, url, timeout=deadline.left(), **options)
        raw = response.raw
        try:
            body = read_all(raw)
            raw.release_conn()
        except urllib3.exceptions.ReadTimeoutError:
            raise TimeoutError from None
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from None
        finally:
            raw.close()  # and with it the connection, unless that was released
    response.raw = io.BytesIO(body)
    return response


def read_all(raw: urllib3.HTTPResponse) -> HiddenBytes:
    """The unpacked body of an answer. Raises TooLarge."""
    body = HiddenBytes(raw.read(MOST_BYTES + 1, decode_content=True))
    if len(body) > MOST_BYTES:
        raise TooLarge
    return body
