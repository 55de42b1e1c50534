"""The blueprints that all GeoReport calls hang on."""

from open311.web.blueprint import GeoReportBlueprint

ROOT = "/open311"
BASE = f"{ROOT}/v2"

georeport = GeoReportBlueprint("georeport", __name__, description="GeoReport v2")
root = GeoReportBlueprint("discovery", __name__, description="Where the API is")
