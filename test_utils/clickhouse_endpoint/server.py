"""ClickHouse's HTTP interface over the embedded engine."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import ssl
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

from test_utils.http_endpoint import Handler, HttpEndpoint

from . import accounts, bodies, sql
from .bodies import Disconnected
from .engine import Answer, Engine
from .errors import ClickHouseError
from .faults import Fault, Faults
from .grants import DEFAULT_USERS, User, Users, authenticate, check
from .limits import Limits

logger = logging.getLogger(__name__)

HEAD = 1024 * 1024  # bytes of a body in which an INSERT must have come to its data
# Parameters of a request that the engine does not know as settings.
_RESERVED = frozenset(
    {
        *("query", "database", "user", "password", "quota_key", "query_id", "default_format", "stacktrace"),
        *(
            "buffer_size",
            "wait_end_of_query",
            "session_id",
            "session_timeout",
            "session_check",
            "close_session",
        ),
        *("client_protocol_version", "compress", "decompress"),
    }
)
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
}
_PLAIN = {"Content-Type": "text/plain; charset=UTF-8"}


@dataclass(frozen=True)
class Request:
    """A request as it was answered, for assertions.

    `statement` is without the data of an INSERT; `bytes` counts the body as it came over the wire and
    `encoding` is its Content-Encoding; `status` is 0 where the connection was cut; `code` is ClickHouse's, or
    0; `settings` are those of the URL; `fault` is the kind of the fault that was met, or "".
    """

    method: str
    path: str
    statement: str = ""
    user: str = ""
    database: str = ""
    bytes: int = 0
    encoding: str = ""
    query_id: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    code: int = 0
    fault: str = ""


class _Cut(Exception):
    """The connection is to be reset instead of answered."""


@dataclass
class _Incoming:
    """A request while it is being served."""

    handler: _Handler
    params: dict[str, str]
    wire_bytes: int = 0
    statement: sql.Statement = field(default_factory=lambda: sql.Statement(b""))
    data: IO[bytes] | None = None
    user: str = ""
    fault: Fault | None = None
    logged: bool = False

    @property
    def encoding(self) -> str:
        return self.handler.headers.get("Content-Encoding", "").lower()

    @property
    def content_type(self) -> str:
        return self.handler.headers.get("Content-Type", "")

    @property
    def database(self) -> str:
        return self.handler.headers.get("X-ClickHouse-Database") or self.params.get("database", "")

    @property
    def query_params(self) -> dict[str, str]:
        return {name[6:]: value for name, value in self.params.items() if name.startswith("param_")}

    @property
    def settings(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.params.items()
            if name and name not in _RESERVED and not name.startswith("param_")
        }

    def read(self) -> None:
        """Read the whole body: the statement into memory, the data of an INSERT into a temporary file.

        Raises Disconnected, or ClickHouseError for a body that cannot be understood.
        """
        headers = self.handler.headers
        if self.handler.command == "POST" and not (headers.get("Content-Length") or headers.get("Transfer-Encoding")):
            raise ClickHouseError(
                381,
                "The Transfer-Encoding is not chunked and there is no Content-Length header for POST request",
            )
        raw = self._counted(bodies.read_body(self.handler.rfile, headers))
        try:
            self._parse(raw)
        finally:
            for _ in raw:  # the next request on this connection begins after all of this one
                pass

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.wire_bytes += len(piece)
            yield piece

    def _parse(self, raw: Iterator[bytes]) -> None:
        for name in ("compress", "decompress"):
            if self.params.get(name, "0") not in ("0", "false"):
                raise ClickHouseError(
                    48, f"{name}=1 (blocks with checksums) is not supported here: use Content-Encoding"
                )
        pieces = bodies.decompress(raw, self.encoding)
        if self.content_type.startswith("multipart/form-data"):
            self.params |= bodies.form_fields(b"".join(pieces), self.content_type)
            self.statement = sql.parse(self.params.get("query", "").encode())
            return
        query = self.params.get("query", "")
        head = bytearray(query.encode() + b"\n" if query else b"")
        for piece in pieces:
            head += piece
            if len(head) >= HEAD:
                break
        self.statement = sql.parse(bytes(head))
        start = self.statement.data_start
        if start is None:
            self.statement = self.statement.with_rest(b"".join(pieces))
            return
        self.data = tempfile.NamedTemporaryFile(prefix="clickhouse-insert-")  # noqa: SIM115 (closed with the request)
        self.data.write(memoryview(head)[start:])
        for piece in pieces:
            self.data.write(piece)
        self.data.flush()

    def log(self, status: int, code: int) -> None:
        """Note how the request is answered, once and before the client can know it; not for control routes."""
        path = urlsplit(self.handler.path).path
        if self.logged or path.startswith("/_"):
            return
        self.logged = True
        request = Request(
            method=self.handler.command,
            path=path,
            statement=self.statement.text,
            user=self.user,
            database=self.database,
            bytes=self.wire_bytes,
            encoding=self.encoding,
            query_id=self.params.get("query_id", ""),
            settings=self.settings,
            params=self.query_params,
            status=status,
            code=code,
            fault=self.fault.kind if self.fault else "",
        )
        self.handler.endpoint.log(request)

    def close(self) -> None:
        if self.data is not None:
            self.data.close()


class _Handler(Handler):
    @property
    def endpoint(self) -> ClickHouseEndpoint:
        return self.server.endpoint

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        incoming = _Incoming(self, dict(parse_qsl(url.query, keep_blank_values=True)))
        with self.endpoint.serving():
            try:
                if self.endpoint.faults.take_refusal():
                    incoming.fault = Fault("refuse")
                    raise _Cut
                self._serve(url.path, incoming)
            except ClickHouseError as error:
                self._reply_error(error, incoming)
            except (_Cut, Disconnected):
                self._cut(incoming)
            except OSError as error:  # the client, or our own stop(), closed the connection
                logger.debug("Connection lost while answering: %s", error)
                self._cut(incoming)
            finally:
                incoming.close()

    do_POST = do_HEAD = do_DELETE = do_GET

    def _serve(self, path: str, incoming: _Incoming) -> None:
        """Answer one request.

        Raises ClickHouseError for the caller to answer with, _Cut or Disconnected for a connection to be cut.
        """
        if path.startswith("/_"):
            self._control(path, incoming)
            return
        asks = path in ("/", "/query") and (self.command == "POST" or "query" in incoming.params)
        if asks:
            incoming.read()
            incoming.user, password = self._credentials(incoming.params)
        fault = incoming.fault = self.endpoint.faults.take(incoming.statement.text)
        if fault is not None:
            if fault.kind == "reset":
                raise _Cut
            if fault.http_status is not None:
                self._reply_proxy_error(fault.http_status, incoming)
                return
            self.endpoint.faults.wait(fault.seconds)
            if (error := fault.error()) is not None:
                raise error
            incoming.statement = replace(incoming.statement, sql=fault.by_its_clock(incoming.statement.sql))
        if not asks:
            # The body is not read: close the connection, or it would be taken for the next request.
            self.close_connection |= self.command == "POST"
            is_known = path in ("/", "/ping", "/replicas_status")
            text = "Ok.\n" if is_known else f"There is no handle {path}\n\nUse / or /ping for health checks.\n"
            self._reply(HTTPStatus.OK if is_known else HTTPStatus.NOT_FOUND, text.encode(), _PLAIN, incoming)
            return
        user = authenticate(self.endpoint.users, incoming.user, password)
        answer, output_format = self._execute(incoming, user)
        if fault is not None and fault.kind == "reset_after_execute":
            raise _Cut
        self._reply_answer(answer, output_format, incoming)

    def _execute(self, incoming: _Incoming, user: User) -> tuple[Answer, str | None]:
        """Run the statement as `user`. Returns the answer and the format of its rows, if it has any."""
        statement = incoming.statement
        statement.check_single()
        wanted = self.headers.get("X-ClickHouse-Format") or incoming.params.get("default_format") or "TabSeparated"
        engine = self.endpoint.engine
        with self.endpoint.http_session(incoming.params.get("session_id", "")), engine.session() as session:
            if incoming.database:
                session.use(incoming.database)
            session.set(incoming.settings)
            check(session, user, statement, incoming.query_params)
            limits = self.endpoint.limits
            limits.begin(user.name)
            limits.apply(session, user.name, incoming.settings)
            if accounts.concerns(statement) and self.command == "POST":
                accounts.change(self.endpoint.users, limits, session, statement)
                return Answer(b""), None
            text = statement.sql if incoming.data is None else statement.reading_from(incoming.data.name)
            text = accounts.listing(limits, text)
            if accounts.shows_grants(statement):
                wanted = statement.output_format() or wanted
                text = accounts.grants_query(self.endpoint.users, user, session, statement)
            if self.command != "POST" and limits.settings_of(user.name).get("readonly") != "1":
                session.set({"readonly": "2"})  # a GET may not change anything
            started = time.monotonic()
            try:
                answer = session.run(text, wanted, incoming.query_params)
            finally:
                limits.end(user.name, time.monotonic() - started)
        return answer, (statement.output_format() or wanted) if statement.has_result else None

    def _credentials(self, params: Mapping[str, str]) -> tuple[str, str]:
        """(name, password) by X-ClickHouse headers, basic authentication or parameters, never two of them.

        Raises ClickHouseError 516.
        """
        headers = self.headers
        by_header = (headers.get("X-ClickHouse-User", ""), headers.get("X-ClickHouse-Key", ""))
        by_basic = headers.get("Authorization")
        by_param = "user" in params or "password" in params
        if any(by_header) + (by_basic is not None) + by_param > 1:
            raise ClickHouseError(516, "Invalid authentication: it is not allowed to use two ways of it simultaneously")
        name, password = params.get("user", "default"), params.get("password", "")
        if any(by_header):
            name, password = by_header
        elif by_basic is not None:
            scheme, _, encoded = by_basic.partition(" ")
            if scheme.lower() != "basic":
                raise ClickHouseError(
                    516, f"Invalid authentication: '{scheme}' HTTP Authorization scheme is not supported"
                )
            try:
                name, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise ClickHouseError(516, "Invalid authentication: the Authorization header is not base64") from None
        if not name:
            raise ClickHouseError(516, "Got an empty user name")
        return name, password

    def _control(self, path: str, incoming: _Incoming) -> None:
        """The routes by which another process injects faults and reads requests; for administrators."""
        body = b"".join(bodies.read_body(self.rfile, self.headers))
        user = authenticate(self.endpoint.users, *self._credentials(incoming.params))
        if not user.is_admin:
            user.need("SYSTEM", "*")
        route = (self.command, path)
        answer: Any = {}
        if route == ("GET", "/_requests"):
            answer = [asdict(request) for request in self.endpoint.requests]
        elif route == ("DELETE", "/_requests"):
            self.endpoint.clear()
        elif route == ("GET", "/_faults"):
            answer = {"pending": self.endpoint.faults.pending}
        elif route == ("DELETE", "/_faults"):
            self.endpoint.heal()
        elif route == ("POST", "/_faults"):
            try:
                self.endpoint.faults.add(Faults.from_json(json.loads(body)))
            except (ValueError, KeyError, TypeError) as error:
                raise ClickHouseError(36, f"Invalid fault {body[:200]!r}: {error}") from None
        else:
            raise ClickHouseError(
                36,
                f"There is no {self.command} {path}: use /_requests (GET, DELETE) or /_faults (GET, POST, DELETE)",
            )
        reply = json.dumps(answer).encode()
        self._reply(HTTPStatus.OK, reply, {"Content-Type": _CONTENT_TYPES["JSON"]}, incoming)

    def _reply_answer(self, answer: Answer, output_format: str | None, incoming: _Incoming) -> None:
        summary = asdict(answer)
        body = summary.pop("body")
        headers = {
            "Content-Type": _CONTENT_TYPES.get(output_format or "", _PLAIN["Content-Type"]),
            "X-ClickHouse-Server-Display-Name": self.endpoint.engine.host,
            "X-ClickHouse-Query-Id": incoming.params.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Timezone": self.endpoint.engine.timezone,
            "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in summary.items()}),
        }
        if output_format is not None:
            headers["X-ClickHouse-Format"] = output_format
        if incoming.params.get("enable_http_compression", "0") not in ("0", "false"):
            encoding = bodies.choose_encoding(self.headers.get("Accept-Encoding", ""))
            if encoding:
                headers["Content-Encoding"] = encoding
                body = bodies.compress(body, encoding)
        self._reply(HTTPStatus.OK, body, headers, incoming)

    def _reply_error(self, error: ClickHouseError, incoming: _Incoming) -> None:
        headers = _PLAIN | {"X-ClickHouse-Exception-Code": str(error.code)}
        body = error.body(self.endpoint.engine.version).encode("utf-8", "surrogateescape")
        try:
            self._reply(HTTPStatus(error.status), body, headers, incoming, code=error.code)
        except OSError:
            self._cut(incoming)

    def _reply_proxy_error(self, status: HTTPStatus, incoming: _Incoming) -> None:
        """An answer of something in front of the server, with nothing of ClickHouse in it."""
        page = f"<html><head><title>{status} {status.phrase}</title></head><body>{status.phrase}</body></html>\n"
        self.close_connection = True
        self._reply(status, page.encode(), {"Content-Type": "text/html"}, incoming)

    def _reply(
        self, status: HTTPStatus, body: bytes, headers: Mapping[str, str], incoming: _Incoming, *, code: int = 0
    ) -> None:
        incoming.log(int(status), code)
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _cut(self, incoming: _Incoming) -> None:
        incoming.log(0, 0)
        self.cut()


class ClickHouseEndpoint(HttpEndpoint[Request]):
    """ClickHouse's HTTP interface over the embedded engine at `path`, with users, grants and faults. A
    context manager.

    `users`: {name: (password, grants)}, grants being "all" or {database: privileges}; a database may end in `*`.
    `path` can be used by clickhouse-connect in the same process at the same time: see `dsn`.
    """

    handler = _Handler

    def __init__(
        self,
        path: str | Path,
        port: int = 0,
        users: Users = DEFAULT_USERS,
        host: str = "127.0.0.1",
        tls: tuple[str | Path, str | Path] | ssl.SSLContext | None = None,
    ):
        super().__init__(port, host, tls)
        self.users = dict(users)
        self.limits = Limits()
        self.faults = Faults()
        self.engine = Engine(path)
        self._sessions: set[str] = set()
        self._sessions_lock = threading.Lock()

    @property
    def dsn(self) -> str:
        """The same engine without HTTP, for clickhouse-connect in this process."""
        return f"chdb://{self.engine.path}"

    def close(self) -> None:
        """Stop, wait for running statements, and give the engine up."""
        self.stop()
        self.heal()
        self.wait_until_idle()
        self.engine.close()

    def fail(self, kind: str | int, times: int | None = 1, match: str | None = None, **options: Any) -> None:
        """Let the next `times` requests fail (None: all until heal()); with `match`, those whose statement
        contains it.

        `match` is a substring or a regular expression, searched without regard to case in the statement
        without the data of an INSERT. Several faults are met in the order in which they were added. Kinds:

        - "refuse": the connection is reset as soon as a request arrives, before its body is read. (For a port
          that is closed, use stop().)
        - "reset": the request is read, then the connection is reset; nothing is executed.
        - "reset_after_execute": the statement is executed, then the connection is reset without an answer.
        - "502", "503", "504": a page as proxies send it; nothing is executed.
        - "slow" (seconds=1): the statement is executed after that time, also if the client has gone by then.
        - "clock" (seconds=60): the server's clock, as now64() tells it, is so far ahead, or behind if negative.
        - "too_many_parts": ClickHouse's error 252.
        - "exception" (code=, name=, message=): any other error of ClickHouse's.

        Raises ValueError for a fault that makes no sense. A fault may be used up by a client's own
        repetition: clickhouse-connect repeats a read or an insert once when its connection is reset, and
        query() twice after a 503 or 504.
        """
        self.faults.add(Fault(str(kind), times, match, options))

    def heal(self) -> None:
        """Take all faults back; requests held by "slow" go on at once."""
        self.faults.heal()

    @contextmanager
    def http_session(self, session_id: str) -> Iterator[None]:
        """Hold a session for one request. Raises ClickHouseError 373 while another request has it.

        Sessions keep no state here: neither SET nor temporary tables outlive their request.
        """
        if session_id:
            with self._sessions_lock:
                if session_id in self._sessions:
                    raise ClickHouseError(373, f"Session {session_id} is locked by a concurrent client")
                self._sessions.add(session_id)
        try:
            yield
        finally:
            self._sessions.discard(session_id)
