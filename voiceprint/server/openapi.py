"""What FastAPI cannot see by itself: bodies that are clips, problems, and examples in several languages."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel

from voiceprint.server.fields import NoFields

_BASE = "http://localhost:8765"

_PROBLEM = {"$ref": "#/components/schemas/ProblemAnswer"}

_CONSENT = {"consent_by": "ada", "consent_purpose": "banking"}

_EXAMPLES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("post", "/v1/speakers", "", {"clips": "@ada-1.wav", "name": "ada", **_CONSENT}),
    ("get", "/v1/speakers", "?limit=100", {}),
    ("delete", "/v1/speakers/{name}", "", {}),
    ("post", "/v1/speakers/{name}/enrollments", "", {"clips": "@ada-2.wav"}),
    ("post", "/v1/speakers/{name}/verify", "?far=0.01", {"clip": "@clip.wav"}),
    ("post", "/v1/challenges", "", {}),
    ("post", "/v1/identify", "?top=3", {"clip": "@clip.wav"}),
    ("post", "/v1/liveness", "", {"clip": "@clip.wav"}),
    ("post", "/v1/quality", "", {"clip": "@clip.wav"}),
    ("post", "/v1/diarize", "", {"clip": "@meeting.wav"}),
)
"""Method, path, query and the fields of the form; ``@`` stands before a file, as curl has it."""

Dependency = TypeVar("Dependency", bound=Callable[..., Any])
Form = dict[str, str]
Operation = tuple[str, str]


def clip_body(*files: str, several: bool = False, fields: type[BaseModel] = NoFields) -> dict[str, Any]:
    """Describe a body of clips; one clip may also be sent bare, where nothing else is required.

    Parameters
    ----------
    *files : str
        File fields of the form.
    several : bool
        The one file field may come several times.
    fields : pydantic model
        Text fields of the form.
    """
    file = {"type": "string", "format": "binary"}
    schema = {"type": "array", "items": file, "minItems": 1} if several else file
    form = _schema(fields)
    form["properties"] = dict.fromkeys(files, schema) | form["properties"]
    form["required"] = [*files, *form.get("required", ())]
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
    if len(form["required"]) == 1:
        kinds = ("audio/wav", "audio/flac", "application/octet-stream")
        content |= {kind: {"schema": file} for kind in kinds}
    return {"requestBody": {"required": True, "content": content}}


def json_body(fields: type[BaseModel]) -> dict[str, Any]:
    """Describe a JSON body, which may be left out where none of its fields is required."""
    return {"requestBody": {"content": {"application/json": {"schema": _schema(fields)}}}}


def describing(read: Dependency, body: dict[str, Any]) -> Dependency:
    """Let a dependency say what the body is like that it reads."""
    read.__dict__["body"] = body
    return read


def _schema(fields: type[BaseModel]) -> dict[str, Any]:
    """Return a model's schema as it stands in a form: a field that is not given is left out, not null."""
    schema = fields.model_json_schema()
    properties = {name: _without_null(each) for name, each in schema.get("properties", {}).items()}
    return {**schema, "properties": properties}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and value is not None}
    return {**rest, **options[0]} if options else rest


def complete_schema(app: FastAPI) -> None:
    """Complete an application's description of itself: the type of problems, and examples."""
    made = app.openapi

    def complete() -> dict[str, Any]:
        document = made()
        for route in app.state.api_routes:
            for each in route.dependant.dependencies:
                described = getattr(each.call, "body", {})
                for method in route.methods:
                    document["paths"][route.path_format][method.lower()] |= described
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                for status, response in operation["responses"].items():
                    if status in ("4XX", "503"):
                        response["content"] = {"application/problem+json": {"schema": _PROBLEM}}
                if found := list(examples(method, path)):
                    operation["x-codeSamples"] = found
        return document

    app.openapi = complete  # type: ignore[method-assign]  # the way that FastAPI documents


def query_names(document: dict[str, Any]) -> dict[Operation, frozenset[str]]:
    """Return the names of each operation's query parameters, by method and path."""
    return {
        operation: frozenset(
            each["name"] for each in described.get("parameters", ()) if each["in"] == "query"
        )
        for operation, described in _operations(document)
    }


def body_names(document: dict[str, Any]) -> dict[Operation, frozenset[str]]:
    """Return the names of the fields that each operation's body may have, by method and path."""
    return {
        operation: frozenset(
            name
            for content in described.get("requestBody", {}).get("content", {}).values()
            for name in content["schema"].get("properties", ())
        )
        for operation, described in _operations(document)
    }


def _operations(document: dict[str, Any]) -> Iterator[tuple[Operation, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield (method.upper(), path), described


def examples(method: str, path: str) -> Iterator[dict[str, str]]:
    """Yield a request as a shell, a Python and a JavaScript program make it."""
    for each, template, query, form in _EXAMPLES:
        if (each, template) == (method, path):
            url = _BASE + template.replace("{name}", "ada") + query
            yield {"lang": "Shell", "source": _shell(method, url, form)}
            yield {"lang": "Python", "source": _python(method, url, form)}
            yield {"lang": "JavaScript", "source": _javascript(method, url, form)}


def _shell(method: str, url: str, form: Form) -> str:
    fields = "".join(f" -F {name}={value}" for name, value in form.items())
    verb = "" if form or method == "get" else f" -X {method.upper()}"
    return f'curl{verb} -H "Authorization: Bearer $VOICEPRINT_KEY"{fields} {shlex.quote(url)}'


def _python(method: str, url: str, form: Form) -> str:
    texts = {name: value for name, value in form.items() if not value.startswith("@")}
    files = [f'"{name}": open("{value[1:]}", "rb")' for name, value in form.items() if name not in texts]
    sent = f", files={{{', '.join(files)}}}" if files else ""
    sent += f", data={json.dumps(texts)}" if texts else ""
    return (
        "import os, requests\n"
        'headers = {"Authorization": f"Bearer {os.environ[\'VOICEPRINT_KEY\']}"}\n'
        f'answer = requests.{method}("{url}", headers=headers{sent})\n'
        "print(answer.status_code, answer.text)"
    )


def _javascript(method: str, url: str, form: Form) -> str:
    lines = [f'const headers = {{ Authorization: "Bearer " + key }}, method = "{method.upper()}";']
    if form:
        lines.append("const body = new FormData();")
    for name, value in form.items():
        given = f'blob, "{value[1:]}"' if value.startswith("@") else f'"{value}"'
        lines.append(f'body.append("{name}", {given});')
    sent = "{ method, headers, body }" if form else "{ method, headers }"
    return "\n".join([*lines, f'const answer = await (await fetch("{url}", {sent})).text();'])
