"""Superset's configuration (SUPERSET_CONFIG_PATH): what an operator has set, then the text that the plugin prints.

Read by Superset's own Python, as the last thing that `superset.config` does.
"""

import json
import os
from pathlib import Path

from superset import config as default

SECRET_KEY = os.environ["SHOW_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["SHOW_METADATA"]


def merged(before, change):
    """The change; a dictionary goes into the one before it."""
    if not (isinstance(before, dict) and isinstance(change, dict)):
        return change
    return {**before, **{name: merged(before.get(name), value) for name, value in change.items()}}


for name, value in json.loads(os.environ["SHOW_CONFIG_OWN"]).items():
    globals()[name] = merged(getattr(default, name, None), value)

# As if it were pasted here.
exec(compile(Path(os.environ["SHOW_CONFIG_TEXT"]).read_text(), "what the plugin prints", "exec"))

for name, value in json.loads(os.environ["SHOW_CONFIG_CHANGES"]).items():
    globals()[name] = merged(globals().get(name), value)
