"""The files of trained models: one for each city, in the data folder. Web processes read a changed file again."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import quote

from open311.domain.service_model import ServiceModel
from open311.formats.service_models import MOST_BYTES, model_bytes, read_model
from open311.observe import logger
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import digest_of
from open311.plugins import Jurisdiction

log = logger(__name__)


def model_path(platform: Platform, city: Jurisdiction) -> Path:
    """The file of a city's model."""
    name = quote(city.id, safe="")
    return platform.settings.data_path / "suggestions" / f"{name.replace('.', '%2E')}.npz"


def model_of(platform: Platform, city: Jurisdiction) -> ServiceModel | None:
    """The model of a city; None if there is none that fits its catalogue. A changed file is read again."""
    try:
        found = os.stat(model_path(platform, city))
    except OSError:
        return None
    return platform.process.cached(_load, most=64)(platform, city, found.st_mtime_ns, found.st_size)


def write_model(platform: Platform, city: Jurisdiction, model: ServiceModel) -> Path:
    """Store the model of a city in place of its former one. Web processes use it from then on."""
    path = model_path(platform, city)
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(model_bytes(model))
    os.replace(file.name, path)
    return path


def _load(platform: Platform, city: Jurisdiction, _changed_at: int, size: int) -> ServiceModel | None:
    """Read the file of a city; None if it cannot be used. The reason is logged once, because the result is kept."""
    try:
        if size > MOST_BYTES:
            raise ValueError(f"is larger than {MOST_BYTES} bytes")
        model = read_model(model_path(platform, city).read_bytes())
    except (OSError, ValueError) as error:
        log.warning("model of suggestions not used", jurisdiction=city.id, why=str(error))
        return None
    if model.edition != digest_of(city):
        log.warning("model of suggestions not used", jurisdiction=city.id, why="it is of another catalogue")
        return None
    return model
