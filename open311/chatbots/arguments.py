"""The arguments of the tools. No tool has an argument for a name, an e-mail address, a phone number or a device.

An unknown argument is an error, because an argument that is ignored would mislead the chatbot.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Language = Annotated[
    str,
    Field(
        default="",
        max_length=35,
        pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$",
        description="Language of the answer's texts, such as es or zh-Hans. Default: the city's first language.",
    ),
]
ServiceCode = Annotated[
    str,
    Field(min_length=1, max_length=100, description="The service_code of a service, as list_services gives it."),
]
Latitude = Annotated[
    float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False, description="Latitude in degrees, WGS 84.")
]
Longitude = Annotated[
    float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False, description="Longitude in degrees, WGS 84.")
]
Day = Annotated[
    str, Field(default="", pattern=r"^(\d{4}-\d{2}-\d{2})?$", description="A day of the city, such as 2026-03-31.")
]


class Arguments(BaseModel):
    """Base class of the arguments of a tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ListServices(Arguments):
    """Arguments of list_services."""

    search: Annotated[
        str,
        Field(default="", max_length=200, description="Only services with this text in name, group or keywords."),
    ]
    language: Language


class SuggestServices(Arguments):
    """Arguments of suggest_services."""

    sentence: Annotated[
        str, Field(min_length=1, max_length=500, description="What is wrong, in the person's own words.")
    ]
    language: Language


class ServiceQuestions(Arguments):
    """Arguments of service_questions."""

    service_code: ServiceCode
    language: Language


class NearbyRequests(Arguments):
    """Arguments of nearby_requests."""

    service_code: ServiceCode
    lat: Latitude
    long: Longitude
    radius: Annotated[
        int | None,
        Field(default=None, ge=1, le=1000, description="Metres. Default: the distance that the city has set."),
    ]


class Report(Arguments):
    """Arguments of report."""

    service_code: ServiceCode
    description: Annotated[
        str,
        Field(
            min_length=1,
            max_length=4000,
            description="The problem, in the person's words. The public reads it: no names, numbers or addresses of"
            " people.",
        ),
    ]
    lat: Annotated[Latitude | None, Field(default=None)]
    long: Annotated[Longitude | None, Field(default=None)]
    address: Annotated[
        str, Field(default="", max_length=300, description="Where it is, if there is no lat and long.")
    ]
    answers: Annotated[
        dict[str, str | list[str]],
        Field(
            default_factory=dict,
            max_length=100,
            description="Answers to the service's questions: code of the question -> answer, or keys of answers.",
        ),
    ]
    confirmation: Annotated[
        str,
        Field(
            default="",
            max_length=200,
            description="Leave it out in the first call. After the person has said yes to the draft, send the"
            " confirmation that came with the draft.",
        ),
    ]
    language: Language


class RequestStatus(Arguments):
    """Arguments of request_status."""

    service_request_id: Annotated[str, Field(min_length=1, max_length=200, description="The number of a report.")]


class FindAnswers(Arguments):
    """Arguments of find_answers."""

    question: Annotated[
        str, Field(min_length=1, max_length=200, description="Words to look for in the city's answers.")
    ]
    language: Language


class Statistics(Arguments):
    """Arguments of statistics."""

    service_code: Annotated[
        str, Field(default="", max_length=100, description="Only this service. Default: all services.")
    ]
    area: Annotated[str, Field(default="", max_length=200, description="Only this area, by its exact name.")]
    start_date: Day
    end_date: Day
    group_by: Annotated[
        str,
        Field(
            default="",
            pattern="^(service|group|department|area|week|month)?$",
            description="A row for each service, group, department, area, week or month. Default: one row.",
        ),
    ]
