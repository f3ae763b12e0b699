"""Superset's configuration (SUPERSET_CONFIG_PATH): its own defaults, and what embedding needs of an operator.

Read by Superset's own Python, as the last thing that `superset.config` does.
"""

import os

from superset.config import TALISMAN_CONFIG as DEFAULTS

SECRET_KEY = os.environ["E2E_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["E2E_METADATA"]

FEATURE_FLAGS = {
    "EMBEDDED_SUPERSET": bool(os.environ["E2E_EMBEDDED"]),
    "ALLOW_ADHOC_SUBQUERY": bool(os.environ["E2E_SUBQUERIES"]),
}
GUEST_ROLE_NAME = os.environ["E2E_GUEST_ROLE"]
GUEST_TOKEN_JWT_SECRET = os.environ["E2E_GUEST_TOKEN_SECRET"]
# The pages that may show its dashboards.
TALISMAN_CONFIG = {
    **DEFAULTS,
    "content_security_policy": {
        **DEFAULTS["content_security_policy"],
        "frame-ancestors": os.environ["E2E_FRAME_ANCESTORS"].split(),
    },
}
