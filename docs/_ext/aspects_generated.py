"""The directive ``generated``: a part of the reference, as ``aspects_reference`` writes it."""

from __future__ import annotations

from typing import Any

from aspects_reference import PARTS
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Generated(SphinxDirective):
    """``.. generated:: settings``: one of ``PARTS``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(PARTS[self.arguments[0]](), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True}
