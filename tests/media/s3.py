"""A real S3 service on the loopback: SeaweedFS, if its program `weed` is on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tests.ports import free_port
from tests.waiting import until

BUCKET = "photos"
ACTIONS = ("Read", "Write", "List")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests-secret"}
MAKER = {"AWS_ACCESS_KEY_ID": "maker", "AWS_SECRET_ACCESS_KEY": "maker-secret"}


def program() -> str | None:
    """The program `weed`, from the search path or from this environment."""
    return shutil.which("weed") or shutil.which("weed", path=str(Path(sys.executable).parent))


@contextmanager
def seaweed(command: str, folder: Path) -> Iterator[str]:
    """Run the service with an empty bucket. Yields its address."""
    ports = iter([free_port() for _ in range(8)])
    config = folder / "s3.json"
    identities = [_identity(MAKER, "Admin"), _identity(CREDENTIALS, *(f"{act}:{BUCKET}" for act in ACTIONS))]
    config.write_text(json.dumps({"identities": identities}))
    options = [
        "-s3",
        "-s3.iam=false",
        f"-s3.config={config}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={folder}",
    ]
    options += ["-volume.max=8", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"]
    for part in ("master", "volume", "filer"):
        options += [f"-{part}.port={next(ports)}", f"-{part}.port.grpc={next(ports)}"]
    port = next(ports)
    options += [f"-s3.port={port}", f"-s3.port.grpc={next(ports)}"]
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [command, "server", *options], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: _makes_bucket(address), "the S3 service")
        yield address
    finally:
        server.kill()
        server.wait()


def _identity(credentials: dict[str, str], *actions: str) -> dict[str, Any]:
    key, secret = credentials.values()
    return {"name": key, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}


def _makes_bucket(address: str) -> bool:
    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=MAKER["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=MAKER["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        if not client.list_buckets()["Buckets"]:
            client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="first", Body=b"1")  # fails until a volume is there
        client.delete_object(Bucket=BUCKET, Key="first")
    except (BotoCoreError, ClientError):
        return False
    return True
