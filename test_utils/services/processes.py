"""The processes that only this suite starts: MariaDB, Redis, Celery workers and people."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import MySQLdb
import redis

from test_utils.processes import Process, free_port
from test_utils.services.events import ROLLED_BACK, moment


class MariaDB(Process):
    """A database server with data of its own, the database ``standin`` and its user."""

    USER, PASSWORD, DATABASE = "standin", "stand-in", "standin"

    def __init__(self, folder: Path):
        self.data = folder / "mariadb"
        self.port = free_port()
        init = folder / "mariadb-init.sql"
        init.write_text(
            f"CREATE DATABASE IF NOT EXISTS {self.DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n"
            f"CREATE USER IF NOT EXISTS '{self.USER}'@'127.0.0.1' IDENTIFIED BY '{self.PASSWORD}';\n"
            f"GRANT ALL ON *.* TO '{self.USER}'@'127.0.0.1';\n"
        )
        # The server refuses to run as root unless it is told to.
        self.account = pwd.getpwuid(os.geteuid()).pw_name
        command = [
            *("mariadbd", "--no-defaults", f"--user={self.account}", f"--datadir={self.data}"),
            *(f"--socket={folder / 'mariadb.sock'}", f"--pid-file={self.data / 'server.pid'}"),
            *("--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve", f"--init-file={init}"),
            *("--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M"),
        ]
        super().__init__("mariadb", folder, command)

    @property
    def url(self) -> str:
        return f"mysql://{self.USER}:{self.PASSWORD}@127.0.0.1:{self.port}/{self.DATABASE}"

    def launch(self) -> None:
        if not self.data.exists():
            command = ["mariadb-install-db", "--no-defaults", f"--user={self.account}", f"--datadir={self.data}"]
            command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command} failed: {done.stdout}{done.stderr}"
        super().launch()

    def is_ready(self) -> bool:
        try:
            MySQLdb.connect(
                host="127.0.0.1", port=self.port, user=self.USER, password=self.PASSWORD, database=self.DATABASE
            ).close()
        except MySQLdb.OperationalError:
            return False
        return True


class Redis(Process):
    """A Redis server in memory only: killed or stopped, it forgets everything."""

    def __init__(self, name: str, folder: Path):
        self.port = free_port()
        command = ["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--dir", folder]
        super().__init__(name, folder, [*command, "--save", "", "--appendonly", "no"])

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def is_ready(self) -> bool:
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def clear(self) -> None:
        """Forget everything."""
        with redis.Redis(port=self.port) as client:
            client.flushall()


# Operators have this in some form: a worker that ends is started again. (With kombu 5.7 a worker that holds a task
# when Redis goes away ends with an "unrecoverable" AttributeError.)
SUPERVISE = 'while true; do "$@"; sleep 0.1; done'


class Worker(Process):
    """A supervised Celery worker of a service, with two processes for tasks; ``kill`` ends the supervisor too."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str], service: str = "cms"):
        self.host = f"{name}@standin"
        command = ["bash", "-c", SUPERVISE, "supervisor"]
        command += [sys.executable, "-m", "celery", "--app", f"{service}.celery", "worker", "--pool", "prefork"]
        command += ["--concurrency", "2", "--hostname", self.host, "--loglevel", "INFO"]
        environment = {**environment, "DJANGO_SETTINGS_MODULE": f"{service}.envs.standin"}
        super().__init__(name, folder, [*command, "--without-mingle", "--without-gossip"], environment)

    def is_ready(self) -> bool:
        return f"{self.host} ready." in self.output()

    @property
    def has_used_all(self) -> bool:
        """Whether each of its processes has finished a task."""
        return all(f"ForkPoolWorker-{number}] Task" in self.output() for number in (1, 2))


class Stream(Process):
    """A process of people doing things on the site, until they have done so many (see traffic.py)."""

    THREADS = 3

    def __init__(self, seed: int, operations: int, folder: Path, environment: Mapping[str, str]):
        command = [sys.executable, "-m", "test_utils.services.traffic", "--threads", self.THREADS]
        command += ["--seed", seed, "--operations", operations]
        super().__init__(f"traffic{seed}", folder, command, environment)

    @property
    def ended(self) -> bool:
        """Whether they are done, or could not go on."""
        return self.process is None or self.process.poll() is not None

    def counts(self) -> dict[str, int]:
        """Wait for the end; return how often each kind of thing happened. AssertionError when one broke."""
        assert self.process is not None
        assert self.process.wait() == 0, self.tail()
        return json.loads(self.output().splitlines()[-1])


class Learners(Process):
    """A process of learners who act, until each has emitted so many events (see events.py)."""

    def __init__(
        self,
        users: Sequence[int],
        events: int,
        folder: Path,
        environment: Mapping[str, str],
        rolled_back: float = ROLLED_BACK,
    ):
        command = [sys.executable, "-m", "test_utils.services.events", "--events", events, "--users", *users]
        command += ["--rolled-back", rolled_back]
        super().__init__(f"learners{users[0]}", folder, command, environment)

    @property
    def ended(self) -> bool:
        """Whether they are done, or could not go on."""
        return self.process is None or self.process.poll() is not None

    def emitted(self) -> set[tuple[int, datetime]]:
        """Wait for the end; return (user id, moment) of each event that was emitted, and so is in the tracking log.

        AssertionError when a thread broke.
        """
        assert self.process is not None
        assert self.process.wait() == 0, self.tail()
        numbers: dict[str, list[int]] = json.loads(self.output().splitlines()[-1])
        return {(int(user_id), moment(number)) for user_id, of_user in numbers.items() for number in of_user}
