"""What FastAPI cannot see by itself: bodies that are clips, problems, and examples in several languages."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

__all__ = ["clip_body", "describe", "examples"]

_BASE = "http://localhost:8765"

_PROBLEM = {"$ref": "#/components/schemas/ProblemAnswer"}

_EXAMPLES = (
    ("post", "/v1/speakers", "?name=ada&consent_by=ada&consent_purpose=banking", ("clips", "ada-1.wav")),
    ("get", "/v1/speakers", "?limit=100", None),
    ("delete", "/v1/speakers/{name}", "", None),
    ("post", "/v1/speakers/{name}/enrollments", "", ("clips", "ada-2.wav")),
    ("post", "/v1/speakers/{name}/verify", "?far=0.01", ("clip", "clip.wav")),
    ("post", "/v1/identify", "?top=3", ("clip", "clip.wav")),
    ("post", "/v1/quality", "", ("clip", "clip.wav")),
)


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
        kinds = ("audio/wav", "audio/flac", "application/octet-stream")
        content |= {kind: {"schema": file} for kind in kinds}
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI) -> None:
    """Complete an application's description of itself: the type of problems, and examples."""
    made = app.openapi

    def complete() -> dict[str, Any]:
        document = made()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                for status, response in operation["responses"].items():
                    if status in ("4XX", "503"):
                        response["content"] = {"application/problem+json": {"schema": _PROBLEM}}
                if found := list(examples(method, path)):
                    operation["x-codeSamples"] = found
        return document

    app.openapi = complete  # type: ignore[method-assign]  # the way that FastAPI documents


def examples(method: str, path: str) -> Iterator[dict[str, str]]:
    """Yield a request as a shell, a Python and a JavaScript program make it."""
    for each, template, query, file in _EXAMPLES:
        if (each, template) == (method, path):
            url = _BASE + template.replace("{name}", "ada") + query
            yield {"lang": "Shell", "source": _shell(method, url, file)}
            yield {"lang": "Python", "source": _python(method, url, file)}
            yield {"lang": "JavaScript", "source": _javascript(method, url, file)}


def _shell(method: str, url: str, file: tuple[str, str] | None) -> str:
    clip = "" if file is None else f" -F {file[0]}=@{file[1]}"
    verb = "" if file is not None or method == "get" else f" -X {method.upper()}"
    return f'curl{verb} -H "Authorization: Bearer $VOICEPRINT_KEY"{clip} {shlex.quote(url)}'


def _python(method: str, url: str, file: tuple[str, str] | None) -> str:
    clip = "" if file is None else f', files={{"{file[0]}": open("{file[1]}", "rb")}}'
    return (
        "import os, requests\n"
        'headers = {"Authorization": f"Bearer {os.environ[\'VOICEPRINT_KEY\']}"}\n'
        f'answer = requests.{method}("{url}", headers=headers{clip})\n'
        "print(answer.status_code, answer.text)"
    )


def _javascript(method: str, url: str, file: tuple[str, str] | None) -> str:
    lines = [f'const headers = {{ Authorization: "Bearer " + key }}, method = "{method.upper()}";']
    if file is not None:
        lines += ["const body = new FormData();", f'body.append("{file[0]}", blob, "{file[1]}");']
    sent = "{ method, headers, body }" if file is not None else "{ method, headers }"
    return "\n".join([*lines, f'const answer = await (await fetch("{url}", {sent})).text();'])
