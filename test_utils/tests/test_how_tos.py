"""Pages are followed to the letter, and whatever is not as they say is noticed."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from docutils.utils import SystemMessage

from test_utils.how_tos import Block, Operator, PageFailed, read_page

PAGE = """
A page
======

A first part
------------

.. not run: there is no such program,
   anywhere

.. code-block:: console

    $ no-such-program

Then:

.. code-block:: console

    $ word=two
    $ echo one; echo \\
      'two  three'
    one
    two ...

* In a list:

  .. code-block:: yaml

      NAME: the place

A second part
-------------

See :doc:`elsewhere`.

.. code-block:: python

    OTHER = {"a": [1]}

::

    anything
"""


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path, {"WHERE": "here"}, {"the place": "127.0.0.1"}, ("default", "secret"))


def blocks(folder: Path, text: str) -> list[Block]:
    page = folder / "page.rst"
    page.write_text(textwrap.dedent(text))
    return read_page(page)


def test_blocks_have_a_section_a_language_and_sometimes_a_reason(tmp_path: Path) -> None:
    found = blocks(tmp_path, PAGE)
    assert [(block.section, block.language, block.not_run) for block in found] == [
        ("A first part", "console", "there is no such program,\nanywhere"),
        ("A first part", "console", ""),
        ("A first part", "yaml", ""),
        ("A second part", "python", ""),
        ("A second part", "", ""),
    ]
    assert found[3].text == 'OTHER = {"a": [1]}'


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (".. code-block: console\n\n    $ true", ValueError),
        (".. not run: nothing follows", ValueError),
        (".. code-block:: console\n\n    $ true\n\n.. a note", ValueError),
        (".. no-such-directive::\n\n  x", SystemMessage),
    ],
)
def test_a_page_with_wrong_markup_is_refused(tmp_path: Path, wrong: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        blocks(tmp_path, f"Title\n=====\n\n{wrong}\n")


def test_the_blocks_of_a_section_are_followed(operator: Operator, tmp_path: Path) -> None:
    operator.follow(blocks(tmp_path, PAGE), "A first part")
    assert json.loads((tmp_path / "env-tokens.json").read_text()) == {"NAME": "127.0.0.1"}
    assert json.loads((tmp_path / "tutor-settings.json").read_text()) == {}
    with pytest.raises(PageFailed, match="how to follow a block of ''"):
        operator.follow(blocks(tmp_path, PAGE), "A second part")
    assert json.loads((tmp_path / "tutor-settings.json").read_text()) == {"OTHER": {"a": [1]}}
    with pytest.raises(PageFailed, match="nothing to do in A third part"):
        operator.follow(blocks(tmp_path, PAGE), "A first part", "A third part")


@pytest.mark.parametrize(
    ("console", "words"),
    [
        ("$ echo one\n$ echo two\nthree", "The page shows:\n\nthree\nIt says:\ntwo"),
        ("$ false", "ended with exit code 1"),
        ("$ false | true", "ended with exit code 1"),
        ("$ echo $NOT_SET", "exit code 1:\n\n.*unbound"),
        ("no command", "Output without a command"),
        ("$ tutor local stop", "does not know: local stop"),
    ],
)
def test_what_is_not_as_the_page_says(operator: Operator, console: str, words: str) -> None:
    with pytest.raises(PageFailed, match=words):
        operator.type(console)


def test_commands_run_in_the_folder_with_the_environment(operator: Operator, tmp_path: Path) -> None:
    assert operator.run("cat; echo $WHERE; pwd", given="x\n").splitlines() == ["x", "here", str(tmp_path)]
