"""Daily dumps, an extension: D1 to D6."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from io import BytesIO, StringIO

from spec.conformance.answers import Answer, Call, Record, UnmetNeedError, number_of, text_of
from spec.conformance.offers import offered, rows
from spec.conformance.probe import Probe, moment_of, segment
from spec.conformance.registry import check

_MEMBERS = ("date", "format", "media_type", "url", "checksum_url", "rows", "bytes", "sha256", "made_at")
_ENDINGS = (".csv.gz", ".ndjson.gz", ".parquet")
_MAGIC = b"PAR1"
_SETTLED = timedelta(days=2)
"""A dump may lack requests that changed within this time before the dump, because a commit can be late."""
_EXTENDED = "extended_attributes"


def _index(probe: Probe) -> tuple[Answer, list[Record]]:
    """The list of dumps. Raises UnmetNeedError if there are none."""
    answer = probe.get("dumps.json")
    offered(probe, "dumps", lambda: answer.succeeded and b'"files"' in answer.body)
    data = answer.must_be(200).must_be_json()
    files = data.get("files") if isinstance(data, dict) else None
    answer.must(
        isinstance(files, list) and all(isinstance(item, dict) for item in files), "files, a list of objects"
    )
    if not files:
        raise UnmetNeedError("no dump has been made yet")
    return answer, list(files or ())


def _newest(probe: Probe) -> dict[str, Record]:
    """The files of the newest day, by the endings of their names."""
    _, files = _index(probe)
    date = text_of(files[0], "date")
    return {
        ending: item
        for item in files
        for ending in _ENDINGS
        if text_of(item, "date") == date and text_of(item, "url").endswith(f"requests-{date}{ending}")
    }


def _download(probe: Probe, item: Record, *headers: tuple[str, str]) -> Answer:
    return probe.client.get(Call("GET", text_of(item, "url"), headers))


def _unpacked(probe: Probe, item: Record) -> tuple[Answer, str]:
    """The text of a file. Raises DeviationError if the file is not UTF-8 compressed with gzip."""
    answer, most = _download(probe, item).must_be(200), probe.client.manners.max_body_bytes
    try:
        with gzip.open(BytesIO(answer.body)) as file:
            found = file.read(most + 1)
        if len(found) > most:
            raise UnmetNeedError(f"{answer.call} unpacks to more than {most} bytes; --max-bytes reads more")
        return answer, found.decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        answer.fail("UTF-8 text that is compressed with gzip", str(error))


@check("D1")
def files_of_a_day(probe: Probe) -> None:
    answer, _ = _index(probe)
    newest = _newest(probe)
    answer.must(
        {".csv.gz", ".ndjson.gz"} <= newest.keys(), "a .csv.gz and a .ndjson.gz of the newest day", newest.keys()
    )
    table, text = _unpacked(probe, newest[".csv.gz"])
    cells = list(csv.DictReader(StringIO(text, newline="")))
    lines, text = _unpacked(probe, newest[".ndjson.gz"])
    items = [json.loads(line) for line in text.split("\n")[:-1]]
    ids = [text_of(item, "service_request_id") for item in items]
    table.must(
        [row.get("service_request_id") for row in cells] == ids, "the same rows as in the NDJSON file", len(cells)
    )
    lines.must(all(_EXTENDED in item for item in items), "items with all extensions")
    table.must(all(f"{_EXTENDED}.channel" in row for row in cells), "columns of all extensions")
    answer.must(
        len({text_of(item, "made_at") for item in newest.values()}) == 1,
        "the same made_at for all files",
        _times_made(newest.values()),
    )
    private = probe.prepared.private_request
    lines.must(private not in ids, "only public requests", f"{private}, which is private")
    missing = set(_settled(probe, text_of(newest[".csv.gz"], "made_at"))) - set(ids)
    lines.must(not missing, "all public requests", f"all but {', '.join(sorted(missing))}")


def _settled(probe: Probe, made_at: str) -> list[str]:
    """The listed requests that last changed at least two days before the dump."""
    moment = moment_of(made_at)
    _, records = rows(probe)
    times = {text_of(item, "service_request_id"): moment_of(text_of(item, "updated_datetime")) for item in records}
    return [request_id for request_id, at in times.items() if at and moment and moment - at > _SETTLED]


def _times_made(files: Iterable[Record]) -> list[str]:
    return [text_of(item, "made_at") for item in files]


@check("D2")
def geoparquet(probe: Probe) -> None:
    """Check the first and last bytes, and the metadata at the end, which is plain text."""
    newest = _newest(probe)
    if ".parquet" not in newest:
        raise UnmetNeedError("not offered: GeoParquet")
    answer = _download(probe, newest[".parquet"]).must_be(200)
    is_whole = answer.body.startswith(_MAGIC) and answer.body.endswith(_MAGIC)
    answer.must(is_whole, "a Parquet file", repr(answer.body[:4]))
    size = int.from_bytes(answer.body[-8:-4], "little")
    footer = answer.body[-8 - size : -8].replace(b" ", b"")
    for part in (b'"version":"1.1', b'"primary_column":"geometry"', b'"encoding":"WKB"', b"CRS84", b'"bbox"'):
        answer.must(part in footer, f"{part.decode()} in its metadata", "none")
    answer.must(f"{_EXTENDED}.channel".encode() in footer, "columns of all extensions", "none")


@check("D3")
def index(probe: Probe) -> None:
    answer, files = _index(probe)
    for item in files:
        missing = [name for name in _MEMBERS if item.get(name) in (None, "")]
        answer.must(not missing, ", ".join(_MEMBERS), f"no {', '.join(missing)}")
        answer.must(moment_of(text_of(item, "made_at")), "a time with a zone as made_at", item["made_at"])
    dates = [text_of(item, "date") for item in files]
    answer.must(dates == sorted(dates, reverse=True), "the newest day first", dates)
    for item in _newest(probe).values():
        file = _download(probe, item).must_be(200)
        file.must(len(file.body) == number_of(item, "bytes"), f"{item['bytes']} bytes", len(file.body))
        media_type = file.content_type.partition(";")[0]
        file.must(media_type == item["media_type"], text_of(item, "media_type"), file.content_type)
    lines = _newest(probe).get(".ndjson.gz")
    if lines:
        _, text = _unpacked(probe, lines)
        answer.must(text.count("\n") == lines["rows"], f"{text.count(chr(10))} rows", lines["rows"])


@check("D4")
def checksums(probe: Probe) -> None:
    for item in _newest(probe).values():
        digest = sha256(_download(probe, item).must_be(200).body).hexdigest()
        checksum = probe.client.get(Call("GET", text_of(item, "checksum_url"))).must_be(200)
        checksum.must(item["sha256"] == digest, f"the sha256 {digest} in the list", item["sha256"])
        name = text_of(item, "url").rpartition("/")[2]
        checksum.must(checksum.text == f"{digest}  {name}\n", f"{digest}  {name}", checksum.text)
        checksum.must(
            item["checksum_url"] == f"{item['url']}.sha256", f"{item['url']}.sha256", item["checksum_url"]
        )


@check("D5")
def ranges(probe: Probe) -> None:
    """A client can resume a download after ten bytes, unless the file has changed since."""
    item = next(iter(_newest(probe).values()))
    complete = _download(probe, item).must_be(200)
    tag, length = complete.headers.get("etag", "none"), complete.headers.get("content-length", "none")
    complete.must(tag.startswith('"'), "a strong ETag", tag)
    complete.must(length == str(len(complete.body)), f"Content-Length: {len(complete.body)}", length)
    part = _download(probe, item, ("Range", "bytes=0-9")).must_be(206)
    part.must(part.body == complete.body[:10], "the first ten bytes", f"{len(part.body)} bytes")
    rest = _download(probe, item, ("Range", "bytes=10-"), ("If-Range", tag)).must_be(206)
    rest.must(part.body + rest.body == complete.body, "the bytes after the first ten", f"{len(rest.body)} bytes")
    other = _download(probe, item, ("Range", "bytes=10-"), ("If-Range", '"another"')).must_be(200)
    other.must(
        other.body == complete.body, "the complete file, because the ETag differs", f"{len(other.body)} bytes"
    )
    _download(probe, item, ("If-None-Match", tag)).must_be(304)


@check("D6")
def latest(probe: Probe) -> None:
    answer, _ = _index(probe)
    data = answer.must_be_json()
    city = segment(text_of(data, "jurisdiction_id"))
    for ending, item in _newest(probe).items():
        file = probe.get(f"dumps/{city}/requests-latest{ending}").must_be(200)
        same = sha256(file.body).hexdigest() == item["sha256"]
        file.must(same, f"the file of {item['date']}", f"another file of {len(file.body)} bytes")
    probe.get(f"dumps/{city}/requests-1999-01-01.csv.gz").must_be(404)
