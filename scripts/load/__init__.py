"""What scripts/benchmark_server is made of: a client, the load it makes, and the servers that meet it."""
