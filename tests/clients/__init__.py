"""Clients that are generated from /openapi.json, and programs that send and read requests with them."""
