"""The resources under /v1, and what watches over the server."""
