"""The check of prose (test_utils/checks/words.py), on files in data/ and on small ones made here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from test_utils.checks import words

DATA = Path(__file__).parent / "data"


@pytest.fixture
def found(tmp_path):
    def found(name: str, text: str) -> list[tuple[int, str]]:
        path = tmp_path / name
        path.write_text(text)
        return [(finding.line, finding.phrase) for finding in words.findings(path)]

    return found


def test_each_phrase_is_found_on_its_line():
    assert [(finding.line, finding.phrase) for finding in words.findings(DATA / "words.rst")] == [
        (1, "cannot be meant"),
        (1, "is no valid"),
        (2, "at hand"),
        (2, "can be meant"),
        (3, "that is none"),
        (5, "for it may"),
        (5, "for the learner is"),
        (5, "for they"),
        (7, "Go on with"),
        (7, "bring"),
        (7, "mend"),
        (8, "What was read is sent. Who has two worke"),
        (8, "Who has two workers waits half as long."),
        (9, "Of two rows the newer counts. Where a ta"),
        (9, "Where a table is missing, it is made."),
        (11, "What is listed here begins with the wron"),
    ]


def test_questions_titles_names_and_similar_words_are_left_alone():
    assert words.findings(DATA / "words_plain.rst") == []


def test_comments_of_sql_are_read(found):
    source = "-- One row: a learner who is no\n--   member.\nSELECT at_hand AS mend\n    -- The case at hand.\n"
    assert found("a.sql", source) == [(1, "is no member"), (4, "at hand")]


def test_python_comments_docstrings_and_messages_are_read(found):
    source = '''"""Docstring of two lines,
the case at hand."""

cannot_be_meant = at_hand = "mend"  # Names are not prose; mend it.

# A comment that continues: it cannot
# be meant.
raise ValueError(f"{at_hand} is no number, {at_hand!r}")
text = (
    "Run it, and"
    " bring the rest."
)
'''
    assert found("module.py", source) == [
        (2, "at hand"),
        (4, "mend"),
        (6, "cannot be meant"),
        (8, "is no number"),
        (10, "bring"),
    ]


def test_javascript_html_and_makefiles_are_read(found):
    assert found("page.js", "/*\n * The case at hand.\n */\nmend(); // mend it\nsay('it is no key');\n") == [
        (2, "at hand"),
        (4, "mend"),
        (5, "is no key"),
    ]
    assert found("page.html", '<p class="mend">\n  The case <b>at</b> hand\n</p>\n') == [(2, "at hand")]
    assert found("Makefile", "mend: ## Mend it\n\tmend\n") == [(1, "Mend")]


def test_folders_are_read_without_built_files_migrations_and_this_test(tmp_path):
    for name in ("a.py", "b.rst", "migrations/c.py", ".hidden/d.py", "dist/e.js", "f.png", "tests/test_words.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [file.name for file in words.files([str(tmp_path)])] == ["a.py", "b.rst"]


@pytest.mark.parametrize(
    ("name", "status", "output"),
    [
        ("words_plain.rst", 0, ""),
        ("words.rst", 1, "words.rst:1: is no valid (instead: is not a)"),
    ],
)
def test_the_exit_status_tells_whether_anything_was_found(name, status, output):
    command = [sys.executable, words.__file__, str(DATA / name)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == status
    assert output in run.stdout
    assert bool(run.stdout) == bool(status)


def test_a_path_that_does_not_exist_is_an_error():
    with pytest.raises(SystemExit, match=r"nowhere\.py not found"):
        list(words.files(["nowhere.py"]))
