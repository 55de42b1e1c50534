"""A Flask view that sends prepared bytes. It shows the cost of Flask without any other work."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, Response

application = Flask(__name__)
bodies = {path.name: path.read_bytes() for path in Path(os.environ["BENCH_BODIES"]).iterdir()}


@application.get("/open311/v2/<name>")
def answer(name: str) -> Response:
    return Response(bodies[name], content_type="application/json; charset=utf-8")


@application.get("/open311/v2/services/<name>")
def definition(name: str) -> Response:
    return Response(bodies["definition.json"], content_type="application/json; charset=utf-8")
