"""Rison: texts are quoted whatever they hold, so a name never ends a filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.dashboards.superset.rison import Value, rison


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("course", "'course'"),
        ("it's!", "'it!'s!!'"),
        (5, "5"),
        ([1, 2], "!(1,2)"),
        ([], "!()"),
        ({"page_size": 100}, "(page_size:100)"),
        (
            {"filters": [{"col": "uuid", "opr": "in", "value": ["1e5", "true"]}]},
            "(filters:!((col:'uuid',opr:'in',value:!('1e5','true'))))",
        ),
    ],
)
def test_values(value: Value, text: str) -> None:
    assert rison(value) == text


@given(st.text())
def test_a_text_ends_at_its_last_quote(text: str) -> None:
    """As a reader of Rison goes through it: ``!`` takes the next character as it is, a quote ends the text."""
    written = iter(rison(text))
    assert next(written) == "'"
    read = ""
    for character in written:
        if character == "'":
            break
        read += next(written) if character == "!" else character
    assert read == text
    assert list(written) == []
