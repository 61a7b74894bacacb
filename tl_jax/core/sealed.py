"""JSON that knows whether it is whole: values written with a digest of themselves."""

import hashlib
import json
from typing import Any


def digest(value: Any) -> str:
    """Sixteen hex digits of anything JSON can write."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def seal(value: Any, indent: int | None = 1) -> str:
    """A value as JSON beside its digest."""
    return json.dumps({"whole": digest(value), "of": value}, indent=indent)


def opened(text: str | bytes) -> Any:
    """The value that `seal` wrote. Raises ValueError where the text is not what was written."""
    found = json.loads(text)
    if not isinstance(found, dict) or set(found) != {"whole", "of"} or digest(found["of"]) != found["whole"]:
        raise ValueError("it is damaged: its digest is another")
    return found["of"]
