"""How sessions are stored."""

import pickle
from typing import Any


class PickleSerializer:
    """Stores any object."""

    def dumps(self, obj: Any) -> bytes:
        """Return the session as bytes."""
        return pickle.dumps(obj, 4)

    def loads(self, data: bytes) -> Any:
        """Return the session again."""
        return pickle.loads(data)
