"""`python -m test_utils.show [--wait]`: start the site, say where to look, and wait for Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import webbrowser
from collections.abc import Callable

from test_utils.demo.paper import Paper
from test_utils.processes import REPOSITORY, free_port
from test_utils.terminal import terminal_of_our_own

from .folder import FolderInUse, take
from .people import COURSE, LEARNER, OTHER, OTHER_TEAM, STAFF, TEAM
from .site import LOG_INS, Site
from .superset import ADMIN_USERNAME

FOLDER = REPOSITORY / ".show"
PORTS = {"lms": 8000, "cms": 8001, "superset": 8088}
OTHER_TEAM_NAME = next(iter(OTHER_TEAM))
LANGUAGES = {"en": "English", "ar": "Arabic", "es-419": "Spanish", "fr": "French"}


def main() -> int:
    """Start everything, and end everything at Ctrl-C. The exit code is 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m test_utils.show", description=main.__doc__)
    parser.add_argument("--wait", action="store_true", help="for programs: print addresses and log-ins as JSON")
    options = parser.parse_args()
    # Names of learners are in several scripts; a pipe may be set to ASCII.
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    paper = Paper()
    started = time.monotonic()

    def say(text: str) -> None:
        if not options.wait:
            paper.line(f"{time.monotonic() - started:4.0f} s  {text}")

    # As an interrupt, so that the processes are ended; in the background, a shell ignores interrupts.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        take(FOLDER)
    except FolderInUse as failure:
        print(failure, file=sys.stderr)
        return 1
    ports = {name: free_port(port) for name, port in PORTS.items()}
    site = Site(FOLDER, ports, {name: name for name in (*LOG_INS, ADMIN_USERNAME)})
    with terminal_of_our_own():
        try:
            _start(site, say)
            if options.wait:
                print(json.dumps(addresses(site), indent=2, ensure_ascii=False), flush=True)
            else:
                tell(site, paper)
            signal.pause()
        except KeyboardInterrupt:
            say("Stopping")
        except AssertionError as failure:
            print(f"\nThe show failed: {failure}\nLogs are in {FOLDER / 'logs'}", file=sys.stderr)
            return 1
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            site.kill()
    return 0


def _start(site: Site, say: Callable[[str], None]) -> None:
    import django

    site.configure()
    django.setup()
    site.start(say)


def addresses(site: Site) -> dict[str, str]:
    """URLs, accounts and passwords."""
    return {
        "reports": reports_url(site, COURSE),
        "lms": site.lms.url,
        "studio": site.cms.url,
        "superset": site.superset.url,
        "clickhouse": site.clickhouse.url,
        **{f"password_of_{name}": site.passwords[name] for name in (*LOG_INS, ADMIN_USERNAME)},
    }


def reports_url(site: Site, course: str) -> str:
    """The tab Reports of a course."""
    return f"{site.lms.url}/courses/{course}/instructor#view-aspects"


def tell(site: Site, paper: Paper) -> None:
    """Print where to look, and open the tab Reports where there is a display."""
    url = reports_url(site, COURSE)
    paper.heading("The tab Reports of a course")
    paper.command(url)
    paper.line()
    paper.table(
        ("user", "password", "who"),
        [(name, site.passwords[name], who) for name, who in _people().items()],
    )
    paper.heading("More")
    paper.line(f"  {OTHER_TEAM_NAME} sees another course:")
    paper.command(reports_url(site, OTHER))
    paper.line(f"  Superset, user {ADMIN_USERNAME}, password {site.passwords[ADMIN_USERNAME]}:")
    paper.command(site.superset.url)
    paper.line("  Studio, and ClickHouse:")
    paper.command(site.cms.url)
    paper.command(site.clickhouse.url)
    paper.line()
    paper.headline("Press Ctrl-C to stop.")
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)


def _people() -> dict[str, str]:
    """Username -> who that is."""
    teams = {name: f"course team, in {LANGUAGES[language]}" for name, (_name, language) in TEAM.items()}
    return {
        **teams,
        STAFF: "staff of the whole site",
        LEARNER: "a learner: has no Reports",
        OTHER_TEAM_NAME: "the team of another course",
    }


if __name__ == "__main__":
    sys.exit(main())
