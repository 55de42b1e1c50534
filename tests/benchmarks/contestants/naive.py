"""The usual Flask stack: flask-smorest, SQLAlchemy's ORM, and marshmallow to load and dump."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

import psycopg2
from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint, abort
from geoalchemy2 import Geometry
from marshmallow import EXCLUDE, Schema, fields, validate
from sqlalchemy import FetchedValue, ForeignKey, ForeignKeyConstraint, Text, create_engine, func, select
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)

SESSION_OPTIONS = "-c jit=off -c max_parallel_workers_per_gather=0 -c timezone=UTC"
UTC_SECONDS = "%Y-%m-%dT%H:%M:%SZ"

engine = create_engine(
    "postgresql+psycopg2://",
    creator=lambda: psycopg2.connect(os.environ["BENCH_DSN"], options=SESSION_OPTIONS),
    pool_size=4,
    max_overflow=0,
)
session = scoped_session(sessionmaker(engine))


class Base(DeclarativeBase):
    __table_args__: Any = {"schema": "rival"}  # noqa: RUF012
    type_annotation_map = {str: Text, datetime: TIMESTAMP(timezone=True)}  # noqa: RUF012


class Department(Base):
    __tablename__ = "department"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Service(Base):
    __tablename__ = "service"

    service_code: Mapped[str] = mapped_column(primary_key=True)
    service_name: Mapped[str]
    description: Mapped[str]
    metadata_: Mapped[bool] = mapped_column("metadata")
    type: Mapped[str]
    keywords: Mapped[str]
    group: Mapped[str]
    department_code: Mapped[str] = mapped_column(ForeignKey("rival.department.code"))


class Request(Base):
    __tablename__ = "request"
    __table_args__ = (
        ForeignKeyConstraint(["service_code"], ["rival.service.service_code"]),
        ForeignKeyConstraint(["department_code"], ["rival.department.code"]),
        {"schema": "rival"},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    service_request_id: Mapped[str] = mapped_column(server_default=FetchedValue())
    status: Mapped[str] = mapped_column(default="open")
    status_notes: Mapped[str | None]
    service_code: Mapped[str]
    department_code: Mapped[str | None]
    description: Mapped[str | None]
    service_notice: Mapped[str | None]
    requested_datetime: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_datetime: Mapped[datetime] = mapped_column(server_default=func.now())
    expected_datetime: Mapped[datetime | None]
    address: Mapped[str | None]
    address_id: Mapped[str | None]
    zipcode: Mapped[str | None]
    lat: Mapped[float | None]
    long: Mapped[float | None]
    point: Mapped[Any] = mapped_column(Geometry("POINT", 4326), deferred=True)
    media_url: Mapped[str | None]
    email: Mapped[str | None]
    service: Mapped[Service] = relationship()
    department: Mapped[Department | None] = relationship()


class RequestSchema(Schema):
    service_request_id = fields.String()
    status = fields.String()
    status_notes = fields.String()
    service_name = fields.String(attribute="service.service_name")
    service_code = fields.String()
    description = fields.String()
    agency_responsible = fields.Function(lambda row: row.department.name if row.department else None)
    service_notice = fields.String()
    requested_datetime = fields.DateTime(UTC_SECONDS)
    updated_datetime = fields.DateTime(UTC_SECONDS)
    expected_datetime = fields.DateTime(UTC_SECONDS)
    address = fields.String()
    address_id = fields.String()
    zipcode = fields.String()
    lat = fields.Float()
    long = fields.Float()
    media_url = fields.String()


class ServiceSchema(Schema):
    service_code = fields.String()
    service_name = fields.String()
    description = fields.String()
    metadata = fields.Boolean(attribute="metadata_")
    type = fields.String()
    keywords = fields.String()
    group = fields.String()


class SearchArguments(Schema):
    class Meta:
        unknown = EXCLUDE

    service_code = fields.String()
    status = fields.String(validate=validate.OneOf(["open", "closed"]))
    start_date = fields.AwareDateTime()
    end_date = fields.AwareDateTime()
    updated_after = fields.AwareDateTime()
    bbox = fields.String()
    lat = fields.Float()
    long = fields.Float()
    radius = fields.Float()
    page = fields.Integer(load_default=1)
    page_size = fields.Integer(load_default=1000)


class NewRequest(Schema):
    class Meta:
        unknown = EXCLUDE

    service_code = fields.String(required=True)
    lat = fields.Float(required=True)
    long = fields.Float(required=True)
    address_string = fields.String()
    description = fields.String(validate=validate.Length(max=4000))
    email = fields.Email()


blueprint = Blueprint("georeport", __name__, url_prefix="/open311/v2")


@blueprint.route("/services.json")
@blueprint.response(200, ServiceSchema(many=True))
def list_services() -> Any:
    return session.scalars(select(Service)).all()


@blueprint.route("/requests.json")
class Requests(MethodView):
    @blueprint.arguments(SearchArguments(), location="query")
    @blueprint.response(200, RequestSchema(many=True))
    def get(self, arguments: dict[str, Any]) -> Any:
        return session.scalars(search(arguments)).all()

    @blueprint.arguments(NewRequest(), location="form")
    @blueprint.response(200, RequestSchema(many=True, only=["service_request_id", "service_notice"]))
    def post(self, sent: dict[str, Any]) -> Any:
        service = session.get(Service, sent["service_code"])
        if service is None:
            abort(404, message="unknown service_code")
        request = Request(
            service_code=service.service_code,
            department_code=service.department_code,
            lat=sent["lat"],
            long=sent["long"],
            point=f"SRID=4326;POINT({sent['long']} {sent['lat']})",
            address=sent.get("address_string"),
            description=sent.get("description"),
            email=sent.get("email"),
        )
        session.add(request)
        session.commit()
        return [request]


@blueprint.route("/requests/<service_request_id>.json")
@blueprint.response(200, RequestSchema(many=True))
def get_request(service_request_id: str) -> Any:
    requests = session.scalars(with_names().where(Request.service_request_id == service_request_id)).all()
    return requests or abort(404, message="unknown service_request_id")


def with_names() -> Any:
    return select(Request).options(joinedload(Request.service), joinedload(Request.department))


def search(arguments: dict[str, Any]) -> Any:
    statement = with_names()
    if "service_code" in arguments:
        statement = statement.where(Request.service_code.in_(arguments["service_code"].split(",")))
    if "status" in arguments:
        statement = statement.where(Request.status == arguments["status"])
    if "start_date" in arguments:
        statement = statement.where(Request.requested_datetime >= arguments["start_date"])
    if "end_date" in arguments:
        statement = statement.where(Request.requested_datetime <= arguments["end_date"])
    if "updated_after" in arguments:
        statement = statement.where(Request.updated_datetime >= arguments["updated_after"])
    if "bbox" in arguments:
        statement = statement.where(
            Request.point.intersects(func.ST_MakeEnvelope(*arguments["bbox"].split(","), 4326))
        )
    if "radius" in arguments:
        statement = statement.where(
            func.rival.is_near(Request.point, arguments["long"], arguments["lat"], arguments["radius"])
        )
    size = arguments["page_size"]
    newest = (Request.requested_datetime.desc(), Request.id.desc())
    return statement.order_by(*newest).limit(size).offset((arguments["page"] - 1) * size)


def create_app() -> Flask:
    app = Flask(__name__)
    app.config |= {"API_TITLE": "naive", "API_VERSION": "1", "OPENAPI_VERSION": "3.0.3"}
    Api(app).register_blueprint(blueprint)
    app.teardown_appcontext(lambda error: session.remove())
    return app


application = create_app()
