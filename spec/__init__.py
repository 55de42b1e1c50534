"""The standard as this project reads it: requirements, schemas, examples and a black-box conformance suite.

Imports nothing of the server, so that it can judge any other server as well.
"""
