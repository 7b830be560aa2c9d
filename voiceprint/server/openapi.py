"""What FastAPI cannot see by itself: bodies that are clips."""

from __future__ import annotations

from typing import Any

__all__ = ["clip_body"]


def clip_body(*fields: str, several: bool = False, bare: bool = False) -> dict[str, Any]:
    """Describe a body of clips.

    Parameters
    ----------
    *fields : str
        File fields of the form.
    several : bool
        The one field may come several times.
    bare : bool
        One clip may also be sent as the bare body.
    """
    file = {"type": "string", "format": "binary"}
    schema = {"type": "array", "items": file, "minItems": 1} if several else file
    form = {
        "type": "object",
        "properties": dict.fromkeys(fields, schema),
        "required": [*fields],
        "additionalProperties": False,
    }
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
    if bare:
        content |= {
            kind: {"schema": file} for kind in ("audio/wav", "audio/flac", "application/octet-stream")
        }
    return {"requestBody": {"required": True, "content": content}}
