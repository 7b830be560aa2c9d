"""The API's description of itself is true."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.testclient import TestClient

from voiceprint.server.openapi import examples


def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_problems_are_described_as_such(client: TestClient) -> None:
    for methods in document(client)["paths"].values():
        for operation in methods.values():
            assert list(operation["responses"]["4XX"]["content"]) == ["application/problem+json"]
            assert "422" not in operation["responses"]


def test_the_description_is_valid_openapi(client: TestClient) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document(client)).iter_errors()] == []


def test_examples_come_in_three_languages(client: TestClient) -> None:
    operation = document(client)["paths"]["/v1/speakers/{name}/verify"]["post"]
    assert [each["lang"] for each in operation["x-codeSamples"]] == ["Shell", "Python", "JavaScript"]


def test_the_shell_examples_are_requests_that_the_server_takes(
    client: TestClient, clip: Any, form: Any
) -> None:
    for path, methods in document(client)["paths"].items():
        for method, operation in methods.items():
            for each in operation.get("x-codeSamples", ()):
                if each["lang"] == "Python":
                    ast.parse(each["source"])
                elif each["lang"] == "Shell":
                    assert run_curl(client, method, each["source"], clip) in (200, 201, 204, 404), path


def run_curl(client: TestClient, method: str, line: str, clip: Callable[..., bytes]) -> int:
    words = shlex.split(line)
    url = urlsplit(words[-1])
    fields = [following.split("=", 1) for word, following in pairwise(words) if word == "-F"]
    files = [
        (field, ("ada.wav", clip("ada", number)))
        for field, value in fields
        if value.startswith("@")
        for number in range(2 if field == "clips" else 1)
    ]
    texts = {field: value for field, value in fields if not value.startswith("@")}
    path = f"{url.path}?{url.query}"
    return client.request(method, path, files=files or None, data=texts or None).status_code


def test_a_request_without_an_example_has_none() -> None:
    assert list(examples("get", "/healthz")) == []


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/speakers", "GET, HEAD, POST"),
        ("/v1/speakers/ada", "DELETE, GET, HEAD"),
        ("/v1/identify", "POST"),
        ("/readyz", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_there_is_told_which_are(client: TestClient, path: str, allowed: str) -> None:
    answer = client.request("TRACE", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/v1/identify", "/v1/speakers/ada/verify"])
def test_getting_what_can_only_be_posted_is_no_missing_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_who_has_no_key_takes_no_place_and_learns_nothing(client: TestClient) -> None:
    del client.headers["Authorization"]
    pool = client.app.state.engine.pool  # type: ignore[attr-defined]
    for path in ("/v1/identify", "/v1/compare?far=0.1&threshold=0.1", "/v1/speakers?name=ada"):
        assert client.post(path).status_code == 401
    assert pool.taken == 0


def test_the_description_names_no_place_of_this_machine(client: TestClient, tmp_path: Path) -> None:
    assert str(tmp_path) not in client.get("/openapi.json").text
