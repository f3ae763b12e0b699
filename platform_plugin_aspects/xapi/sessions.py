"""Sessions in statements: a keyed hash in place of the session's key, with which one could take the session over.

See docs/decisions/0012.
"""

from __future__ import annotations

from typing import Any

from django.utils.crypto import salted_hmac

#: The extension of a statement's context in which ERB puts the session.
EXTENSION = "https://w3id.org/xapi/openedx/extensions/session-id"
#: Hexadecimal digits of a hash: as many as a session key of Django has characters.
DIGITS = 32
_PURPOSE = "platform_plugin_aspects.xapi.sessions"


def hashed(session: str) -> str:
    """A hash of the session's key, by a key derived from SECRET_KEY: the same for the same session."""
    return salted_hmac(_PURPOSE, session, algorithm="sha256").hexdigest()[:DIGITS]


def hide_session(statement: dict[str, Any]) -> None:
    """Put a hash where the key of the session stands in a statement."""
    extensions = statement.get("context", {}).get("extensions", {})
    if EXTENSION in extensions:
        extensions[EXTENSION] = hashed(str(extensions[EXTENSION]))
