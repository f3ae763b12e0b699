"""The code blocks of a how-to page, in order.

A block that cannot be followed where tests run has a comment right before it, which says why::

    .. not run: the test runs what is being installed

    .. code-block:: console

        $ pip install platform_plugin_aspects-3.0.0-py3-none-any.whl
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import roles

#: Begins a comment; the rest of the comment is the reason.
NOT_RUN = "not run:"
#: Roles of Sphinx in these pages.
for name in ("confval", "doc", "ref"):
    roles.register_generic_role(name, nodes.literal)


@dataclass(frozen=True)
class Block:
    """A code block: the title of the section that it is in, the language that it names, why it is not run, or ""."""

    section: str
    language: str
    text: str
    not_run: str = ""


def read_page(path: Path) -> list[Block]:
    """The blocks of the page at ``path``.

    docutils.utils.SystemMessage for one that it cannot read; ValueError for a comment that says nothing of a block: it
    may be a directive with a slip of the pen.
    """
    document = publish_doctree(
        path.read_text(encoding="utf-8"),
        source_path=str(path),
        # A single section is a section, too; nothing that a reader would stumble on passes.
        settings_overrides={"doctitle_xform": False, "halt_level": 2, "report_level": 2},
    )
    reasons = {_following(comment): comment.astext() for comment in document.findall(nodes.comment)}
    blocks = list(document.findall(nodes.literal_block))
    for block, reason in reasons.items():
        if block not in blocks or not reason.startswith(NOT_RUN):
            raise ValueError(f"{path}: what is this comment for? {reason}")
    return [
        Block(_section(block), _language(block), block.astext(), reasons.get(block, "").removeprefix(NOT_RUN).strip())
        for block in blocks
    ]


def _following(node: nodes.Node) -> nodes.Node | None:
    return node.next_node(descend=False, siblings=True)


def _language(block: nodes.literal_block) -> str:
    return next((name for name in block["classes"] if name != "code"), "")


def _section(node: nodes.Node) -> str:
    """The title of the innermost section around ``node``."""
    while not isinstance(node, nodes.section):
        node = node.parent
    return node[0].astext()
