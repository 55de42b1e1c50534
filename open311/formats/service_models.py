"""Files of trained models: arrays of numbers as NumPy writes them, and a header in JSON. They hold no code.

A file is never unpickled, so a file from elsewhere cannot run anything. The digest in a file shows any damage.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

import numpy as np
import orjson

from open311.domain.service_model import ServiceModel

FORMAT = 1
"""The version of the files. A file of another version is not read."""
MOST_BYTES = 64 * 1024 * 1024
_ARRAYS = ("rarities", "weights", "offsets")


def model_bytes(model: ServiceModel) -> bytes:
    """The file of a model. Equal models give equal headers and arrays."""
    header = {
        "format": FORMAT,
        "edition": model.edition,
        "language": model.language,
        "codes": model.codes,
        "terms": model.terms,
        "requests": model.requests,
    }
    arrays: dict[str, Any] = {name: np.asarray(getattr(model, name), dtype=np.float32) for name in _ARRAYS}
    arrays["header"] = np.frombuffer(orjson.dumps(header), dtype=np.uint8)
    file = BytesIO()
    np.savez_compressed(file, digest=_digest(arrays), **arrays)
    return file.getvalue()


def read_model(content: bytes) -> ServiceModel:
    """The model of a file. Raises ValueError if the file is damaged, or not one of this version."""
    if len(content) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES} bytes")
    try:
        with np.load(BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in (*_ARRAYS, "header")}
            digest = file["digest"]
        header = orjson.loads(arrays["header"].tobytes())
        codes, terms = tuple(map(str, header["codes"])), tuple(map(str, header["terms"]))
        model = ServiceModel(
            edition=str(header["edition"]),
            language=str(header["language"]),
            codes=codes,
            terms=terms,
            requests=int(header["requests"]),
            **{name: arrays[name].astype(np.float64) for name in _ARRAYS},
        )
    except (BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError) as error:
        raise ValueError("is damaged, or is no file of a model") from error
    if header["format"] != FORMAT:
        raise ValueError(f"has the format {header['format']}; this release reads {FORMAT}")
    if digest.tobytes() != _digest(arrays).tobytes() or not _fits(model):
        raise ValueError("is damaged; its digest does not fit")
    return model


def _digest(arrays: dict[str, Any]) -> Any:
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].shape} {arrays[name].dtype};".encode())
        found.update(np.ascontiguousarray(arrays[name]).tobytes())
    return np.frombuffer(found.digest(), dtype=np.uint8)


def _fits(model: ServiceModel) -> bool:
    """Whether the arrays have the sizes that the header says, and numbers only."""
    shapes = ((len(model.terms),), (len(model.terms), len(model.codes)), (len(model.codes),))
    arrays = [getattr(model, name) for name in _ARRAYS]
    return [one.shape for one in arrays] == list(shapes) and all(np.isfinite(one).all() for one in arrays)
