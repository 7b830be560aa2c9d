"""The HTTP server (extra `serve`): the Verifier's verbs as REST resources under ``/v1``.

It adds no voice logic of its own. What it adds is what a network asks for: keys, limits, an audit log,
idempotency, errors as problem+json (RFC 9457). See docs/reference/server.md.
"""
