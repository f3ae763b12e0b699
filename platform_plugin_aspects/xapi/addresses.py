"""Statements whose actor is an e-mail address, which a retirement has to find."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1, sha256

from django.conf import settings

#: The values of XAPI_AGENT_IFI_TYPE with which statements hold an address, or its hash.
ADDRESS, HASH = "mbox", "mbox_sha1sum"


def has_addresses() -> bool:
    """Whether the actors of statements are e-mail addresses, or hashes of them, as XAPI_AGENT_IFI_TYPE says."""
    return getattr(settings, "XAPI_AGENT_IFI_TYPE", "") in (ADDRESS, HASH)


def actors_of(addresses: Iterable[str]) -> dict[str, list[str]]:
    """By the name of an actor's field, the values that stand for these addresses in statements.

    A site may have changed XAPI_AGENT_IFI_TYPE, so both kinds are named.
    """
    known = list(dict.fromkeys(address for address in addresses if address))
    return {
        ADDRESS: [f"mailto:{address}" for address in known],
        HASH: [sha1(address.encode()).hexdigest() for address in known],
    }


def actor_ids_of(addresses: Iterable[str]) -> list[str]:
    """The ids that stand for these addresses in the reports: SHA-256 of an mbox, and the hash of an mbox_sha1sum.

    ``reporting/relations/events.sql`` makes the same ids. Only letters of ASCII become small there.
    """
    actors = actors_of(addresses)
    return [*(sha256(mbox.encode().lower()).hexdigest() for mbox in actors[ADDRESS]), *actors[HASH]]
