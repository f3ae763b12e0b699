"""An HTTP endpoint of this process: it listens, goes away with its connections, comes back on the same port, and
remembers what it was asked."""

from __future__ import annotations

import logging
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

logger = logging.getLogger(__name__)

_RESET = struct.pack("ii", 1, 0)  # linger for no time: close() then sends RST instead of FIN
RequestT = TypeVar("RequestT")


class Handler(BaseHTTPRequestHandler):
    """Serves the requests of one connection. A connection that the client or stop() cuts short is not an error."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        try:
            super().handle()
        except OSError as error:  # reset between two requests, or a TLS handshake that failed
            logger.debug("Connection closed: %s", error)

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.rfile.close()

    def cut(self) -> None:
        """Reset the connection instead of answering."""
        self.close_connection = True
        self.server.reset(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


class Server(ThreadingHTTPServer):
    """Knows its connections, so that it can cut them."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[Handler], endpoint: Any):
        self.endpoint = endpoint
        self._connections: set[socket.socket] = set()
        self._to_reset: set[socket.socket] = set()
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.endpoint.tls is not None:
            # The handshake happens in the connection's own thread, with the first read.
            connection = self.endpoint.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        self.endpoint.connections += 1
        super().process_request(request, client_address)

    def reset(self, connection: socket.socket) -> None:
        """Let the connection end with a RST as soon as it is closed."""
        self._to_reset.add(connection)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        if request in self._to_reset:
            self._to_reset.discard(request)
            try:
                request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            except OSError:
                logger.debug("Connection was gone before it could be reset")
            request.close()
        else:
            super().shutdown_request(request)

    def cut_connections(self) -> None:
        for connection in list(self._connections):
            self.reset(connection)
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                logger.debug("Connection was gone before it could be cut")

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("Unexpected error while serving %s", client_address)


class HttpEndpoint(Generic[RequestT]):
    """A server in a thread, as a context manager.

    `port` 0 takes a free one and keeps it over restart(). `tls`: (certificate file, key file) or an ssl.SSLContext.
    """

    handler: type[Handler]

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        tls: tuple[str | Path, str | Path] | ssl.SSLContext | None = None,
    ):
        self.host = host
        self.port = port
        self.tls = _tls_context(*tls) if isinstance(tls, tuple) else tls
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._busy = 0
        self._idle = threading.Condition()
        self.connections = 0  # made since the last clear()
        self._requests: list[RequestT] = []

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        if self._server is not None:
            return
        self._server = Server((self.host, self.port), self.handler, self)
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=type(self).__name__,
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Like a server that goes away: the port is closed, open connections are reset, nothing more is
        answered.

        A request that is being served is served to its end.
        """
        if self._server is None or self._thread is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        self._thread.join()
        server.server_close()
        server.cut_connections()

    def restart(self) -> None:
        """Stop, and listen on the same port again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop for good."""
        self.stop()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Counts a request that is being served, for wait_until_idle()."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def wait_until_idle(self, timeout: float = 60) -> None:
        """Wait for the requests that are being served, abandoned ones included. Raises TimeoutError."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._busy == 0, timeout):
                raise TimeoutError(f"{self._busy} requests are still being served after {timeout} s.")

    @property
    def requests(self) -> list[RequestT]:
        """The requests since the last clear(), in the order of the answers."""
        return list(self._requests)

    def log(self, request: RequestT) -> None:
        self._requests.append(request)

    def clear(self) -> None:
        """Forget the requests and the connections."""
        self._requests.clear()
        self.connections = 0


def _tls_context(certificate: str | Path, key: str | Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
