"""The naive application, but its POST writes the same rows as ours, into our tables with their indexes.

It renders what it publishes in the usual way: marshmallow, `json.dumps`, ElementTree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint, abort
from marshmallow import fields
from sqlalchemy import func, select
from sqlalchemy.orm import DeclarativeBase, relationship

from open311.storage import tables
from tests.benchmarks.contestants.naive import Department, RequestSchema, Service, list_services, session
from tests.benchmarks.contestants.naive import NewRequest as Submitted

CITY = "nyc.gov"


class Base(DeclarativeBase):
    """Our tables, as an application with an ORM has them."""


class Reporter(Base):
    __table__ = tables.reporter


class RequestEvent(Base):
    __table__ = tables.request_event


class Publication(Base):
    __table__ = tables.publication


class Change(Base):
    __table__ = tables.outbox


class ServiceRequest(Base):
    __table__ = tables.service_request
    reporter = relationship(Reporter, uselist=False)
    events = relationship(RequestEvent)
    publication = relationship(Publication, uselist=False)


class NewRequest(Submitted):
    """What is sent, with the answer to the service's question."""

    descriptor = fields.String(data_key="attribute[descriptor]")


blueprint = Blueprint("georeport", __name__, url_prefix="/open311/v2")
blueprint.route("/services.json")(list_services)


@blueprint.route("/requests.json")
class Requests(MethodView):
    @blueprint.arguments(NewRequest(), location="form")
    @blueprint.response(200, RequestSchema(many=True, only=["service_request_id", "service_notice"]))
    def post(self, sent: dict[str, Any]) -> Any:
        service = session.get(Service, sent["service_code"])
        if service is None:
            abort(404, message="unknown service_code")
        number = session.scalar(select(tables.request_number.next_value()))
        request = _request(sent, service, number)
        request.reporter = Reporter(email=sent.get("email", ""))
        request.events = [_event(request, kind) for kind in ("received", "routed")]
        request.publication = _publication(request, service, sent.get("descriptor", ""))
        session.add_all([request, Change(jurisdiction_id=CITY, request_id=number, version=1)])
        session.commit()
        return [{"service_request_id": request.service_request_id, "service_notice": None}]


def _request(sent: Mapping[str, Any], service: Service, number: int) -> Any:
    now = datetime.now(UTC)
    return ServiceRequest(
        jurisdiction_id=CITY,
        id=number,
        service_request_id=f"311-{number:08}",
        service_code=service.service_code,
        department=service.department_code,
        description=sent.get("description", ""),
        requested_at=now,
        updated_at=now,
        changed_at=now,
        lat=sent["lat"],
        long=sent["long"],
        point=f"SRID=4326;POINT({sent['long']} {sent['lat']})",
        address=sent.get("address_string", ""),
        answers=[{"code": "descriptor", "values": [sent["descriptor"]]}] if "descriptor" in sent else [],
    )


def _event(request: Any, kind: str) -> RequestEvent:
    data = {"department": request.department}
    return RequestEvent(at=request.requested_at, kind=kind, actor="key:1", version=1, data=data)


def _publication(request: Any, service: Service, descriptor: str) -> Publication:
    extras: list[dict[str, Any]] = [
        {"department": request.department, "group": service.group, "channel": "api"},
        {},
        {"code": "descriptor", "value": descriptor},
    ]
    names = ("service_request_id", "service_code", "description", "lat", "long", "address")
    row = SimpleNamespace(
        **{name: getattr(request, name) for name in names},
        status="open",
        service=service,
        department=session.get(Department, request.department),
        requested_datetime=request.requested_at,
        updated_datetime=request.updated_at,
    )
    shown = RequestSchema().dump(row)
    return Publication(
        service_request_id=request.service_request_id,
        service_code=request.service_code,
        status="open",
        requested_at=request.requested_at,
        updated_at=request.updated_at,
        changed_at=request.changed_at,
        lat=request.lat,
        long=request.long,
        point=request.point,
        visibility="public",
        was_public=True,
        agency=row.department.name,
        words=func.to_tsvector("english", f"{service.service_name} {request.description} {request.address}"),
        json=json.dumps(shown),
        xml=_xml("request", shown),
        json_extras=[json.dumps(part)[1:-1] for part in extras],
        xml_extras=[_xml("extra", part) for part in extras],
        bulk_csv=",".join(str(value) for value in shown.values()),
        digest=hash(json.dumps(shown)),
    )


def _xml(element: str, shown: Mapping[str, Any]) -> str:
    root = ElementTree.Element(element)
    for name, value in shown.items():
        ElementTree.SubElement(root, name).text = "" if value is None else str(value)
    return ElementTree.tostring(root, encoding="unicode")


def create_app() -> Flask:
    app = Flask(__name__)
    app.config |= {"API_TITLE": "naive", "API_VERSION": "1", "OPENAPI_VERSION": "3.0.3"}
    Api(app).register_blueprint(blueprint)
    app.teardown_appcontext(lambda error: session.remove())
    return app


application = create_app()
