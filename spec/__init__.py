"""The standard as this project reads it: requirements, schemas, examples and a black-box conformance suite.

This package imports nothing from the server, so that the suite can judge any other server as well.
"""
