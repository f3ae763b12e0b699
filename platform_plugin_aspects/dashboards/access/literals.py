"""Text and names as SQL that reaches ClickHouse through Superset unchanged.

On its way a clause is read by Jinja (where the operator turned template processing on), by SQLAlchemy (``%%`` becomes
``%``) and by sqlglot, which writes it anew (``\\x41`` becomes ``\\\\x41``). So nothing here is escaped: see ADR 0008.
"""

from __future__ import annotations

import re

#: Text that all of these readers leave as it is.
_PLAIN = re.compile(r"(?!.*%%)[A-Za-z0-9 _.,@%/+:=-]*")


def literal(text: str) -> str:
    """``text`` as a literal: ``'text'``, or ``unhex('...')`` of its UTF-8 bytes where it holds anything unusual."""
    if _PLAIN.fullmatch(text):
        return f"'{text}'"
    # Half of a surrogate pair is not text. It must not be an error here, and it equals nothing.
    return f"unhex('{text.encode('utf-8', 'surrogatepass').hex()}')"


def column(name: str) -> str:
    """The column of the dataset called ``name``, of letters, digits, ``_`` and spaces.

    A plain name would not do: in ClickHouse it means first what the query *selects* under that name, and a guest may
    select ``'OrgX' AS org``. COLUMNS() knows only the tables' own columns, and fails where there is none.
    """
    return f"COLUMNS('^{name}$')"
