"""The learners of journeys: accounts of this site, the same ones for the same seed."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from platform_plugin_aspects.load_test import platform
from platform_plugin_aspects.load_test.traffic import EMAIL_DOMAIN

#: The beginning of all usernames, as of other load tests.
PREFIX = "lt_"


def learner(seed: int, number: int) -> Any:
    """The user with this number, made where there is none. Raises platform.AccountRefused."""
    username = f"{PREFIX}s{seed}_{number}"
    found = get_user_model()._default_manager.filter(username=username).first()
    if found is not None:
        return found
    name = f"Load test, seed {seed}, learner {number}"
    return platform.create_account(username, f"{username}@{EMAIL_DOMAIN}", name)
