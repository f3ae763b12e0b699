"""Fixtures on the services of the stand-in platform and on the ClickHouse endpoint; loaded by ``-p`` in pyproject.toml.

A process has one engine path, so all tests of a process share one engine: clickhouse_engine_path.
"""

from __future__ import annotations

import datetime
import ipaddress
import signal
import uuid
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import rules
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.contrib.staticfiles import finders

from test_utils import properties  # noqa: F401
from test_utils.clickhouse_endpoint import ALL, READ_WRITE, ClickHouseEndpoint
from test_utils.superset_endpoint import SupersetEndpoint

# As DEFAULT_USERS of the endpoint, but the plugin's user may write to the databases of clickhouse_database too.
USERS = {
    "default": ("", ALL),
    "ch_admin": ("admin-password", ALL),
    "ch_cms": ("password", {"event_sink*": READ_WRITE, "xapi*": READ_WRITE}),
}
#: As platform_plugin_aspects.dashboards.pages.embedding has it, which cannot be imported before coverage begins.
SCRIPT = "platform_plugin_aspects/dist/aspects-dashboards.js"


@pytest.fixture(autouse=True)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An empty file in place of the browser's script where npm has not built it, as under tox in a clean clone.

    What the script does is tested by npm and in a browser.
    """
    if finders.find(SCRIPT) is None:
        folder = tmp_path_factory.mktemp("static")
        (folder / SCRIPT).parent.mkdir(parents=True)
        (folder / SCRIPT).touch()
        settings = request.getfixturevalue("settings")
        settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, folder]


@pytest.fixture
def signals_are_heard() -> Iterator[None]:
    """Nobody ignores signals, nor do processes that the test starts.

    A shell has what it runs in the background ignore SIGINT, and nohup SIGHUP; processes inherit that.
    """
    defaults = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    ignored = [number for number in defaults if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, defaults[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def lms_permissions() -> Iterator[None]:
    """The LMS's permissions; tests run as the CMS, which has none of them."""
    module = import_module("lms.djangoapps.instructor.permissions")
    rules.set_perm(module.VIEW_DASHBOARD, module.may_view_dashboard)
    yield
    rules.remove_perm(module.VIEW_DASHBOARD)


@pytest.fixture
def lms(settings: Any, lms_permissions: None) -> None:
    """The test runs as the LMS: its URLs, its permissions and its branch of the modulestore."""
    settings.SERVICE_VARIANT = "lms"
    settings.ROOT_URLCONF = "lms.urls"
    settings.MODULESTORE_BRANCH = "published-only"


@pytest.fixture(scope="session")
def clickhouse_engine_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this process's engine, for `chdb://{path}` and for the endpoint alike."""
    return tmp_path_factory.mktemp("clickhouse")


@pytest.fixture(scope="session")
def clickhouse_server(clickhouse_engine_path: Path) -> Iterator[ClickHouseEndpoint]:
    """The endpoint of this process; tests take clickhouse_endpoint."""
    with ClickHouseEndpoint(clickhouse_engine_path, users=USERS) as endpoint:
        yield endpoint


@pytest.fixture
def clickhouse_endpoint(clickhouse_server: ClickHouseEndpoint) -> Iterator[ClickHouseEndpoint]:
    """The endpoint: listening, without faults, without requests. Users: see USERS."""
    clickhouse_server.start()
    clickhouse_server.clear()
    yield clickhouse_server
    clickhouse_server.heal()
    clickhouse_server.wait_until_idle()


@pytest.fixture
def clickhouse_database(clickhouse_endpoint: ClickHouseEndpoint) -> Iterator[str]:
    """The name of an empty database of the test's own, which the user ch_cms may write to."""
    name = f"event_sink_{uuid.uuid4().hex[:12]}"
    clickhouse_endpoint.engine.query(f"CREATE DATABASE {name}")
    yield name
    # The database of statements, where the test has made one.
    for database in (name, name.replace("event_sink", "xapi")):
        clickhouse_endpoint.engine.query(f"DROP DATABASE IF EXISTS {database} SYNC")


@pytest.fixture(scope="session")
def superset_server() -> Iterator[SupersetEndpoint]:
    """The Superset of this process; tests take superset_endpoint."""
    with SupersetEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def superset_endpoint(superset_server: SupersetEndpoint, settings: Any) -> Iterator[SupersetEndpoint]:
    """Superset's security API as the configured Superset: listening, as just set up, without embedded dashboards."""
    superset_server.start()
    superset_server.reset()
    settings.SUPERSET_CONFIG = superset_server.config()
    yield superset_server
    superset_server.release()
    superset_server.wait_until_idle()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "certificate.pem", folder / "key.pem"
