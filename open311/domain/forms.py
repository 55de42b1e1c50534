"""Answers that depend on more than what an app sends: on other answers, on the city's assets, or on the request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from open311.domain.assets import AssetLayer
from open311.domain.places import Place
from open311.domain.services import Attribute, Condition

FIELDS = ("lat", "long", "address", "address_id", "area", "received")
"""The fields of a request that `set_to` can name in braces. `area` is the names of all areas around the point."""

_FIELD = re.compile(r"\{(\w*)\}")
_MOST_EXAMPLES = 3


class Remark(NamedTuple):
    """What a caller is told about the answer to one attribute, although the request is accepted."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class FormFiller:
    """Completes the answers of one POST and collects what has to be told.

    received  when the request came, in the city's time zone
    areas     finds the names of the areas around the place
    keeps     whether answers to questions that are not asked are kept for staff
    remarks   grows while answers are completed
    faults    grows too: the attribute's code and what is wrong with the answer
    kept      grows too: the answers that are kept for staff, by the attribute's code
    """

    place: Place
    received: datetime
    layers: Mapping[str, AssetLayer]
    areas: Callable[[Place], Sequence[str]]
    keeps: bool = False
    remarks: list[Remark] = field(default_factory=list)
    faults: list[Remark] = field(default_factory=list)
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def complete(
        self, attribute: Attribute, sent: tuple[str, ...], answered: Mapping[str, tuple[str, ...]]
    ) -> tuple[str, ...] | None:
        """The values of the answer to an attribute; None if the question is not asked.

        sent      the values that the app sent, without blank ones
        answered  the answers to the attributes before this one
        """
        unmet = first_unmet(attribute.only_if, answered)
        if unmet is not None:
            self.put_aside(attribute.code, sent, f"it is asked only if {unmet}")
            return None
        if attribute.set_to:
            if sent:
                self._remark(attribute, "is ignored; the server sets it")
            text = " ".join(self._text(attribute.set_to).split())
            return (text,) if text else ()
        if attribute.asset_layer:
            sent = self._asset(attribute, sent, self.layers[attribute.asset_layer])
        return sent or attribute.default

    def put_aside(self, code: str, sent: tuple[str, ...], why: str) -> None:
        """Take an answer to a question that is not asked: it is kept for staff, or only told."""
        if sent:
            self.remarks.append(Remark(code, f"is {'kept for staff only' if self.keeps else 'ignored'}; {why}"))
        if sent and self.keeps:
            self.kept[code] = sent

    def _asset(self, attribute: Attribute, sent: tuple[str, ...], layer: AssetLayer) -> tuple[str, ...]:
        """The id of an asset: the one that was sent, or that of the only asset near the point."""
        if len(sent) == 1:
            self._check_asset(attribute, sent[0], layer)
            return sent
        if sent or not layer.rule.fill or self.place.point is None:
            return sent
        near = layer.near(self.place.point)
        if len(near) != 1:
            return ()
        if attribute.is_shown:
            self._remark(attribute, f"is set to {near[0]}, the only one of {layer.rule.name} near the point")
        return (near[0],)

    def _check_asset(self, attribute: Attribute, asset_id: str, layer: AssetLayer) -> None:
        rule, point = layer.rule, self.place.point
        if not layer.has(asset_id):
            text = f"{asset_id[:40]!r} is not in the city's list {rule.name}"
        elif point is not None and layer.distance_m(asset_id, point) > rule.radius_m:
            text = f"{asset_id[:40]!r} of the city's list {rule.name} is not within {rule.radius_m} m of the point"
        else:
            return
        if rule.unknown_id == "warn":
            self._remark(attribute, f"{text}; it is kept as it was sent")
            return
        near = layer.near(point)[:_MOST_EXAMPLES] if point is not None else []
        cure = f"send one that is near the point: {', '.join(near)}" if near else "correct it or leave it out"
        self.faults.append(Remark(attribute.code, f"{text}; {cure}"))

    def _remark(self, attribute: Attribute, text: str) -> None:
        self.remarks.append(Remark(attribute.code, text))

    def _text(self, template: str) -> str:
        """The text that a template makes; "" if all its fields are empty."""
        values = [self._field(name) for name in _FIELD.findall(template)]
        if values and not any(values):
            return ""
        rest = iter(values)
        return _FIELD.sub(lambda _: next(rest), template)

    def _field(self, name: str) -> str:
        place = self.place
        if name == "area":
            return ", ".join(self.areas(place))
        if name == "received":
            return self.received.isoformat(timespec="seconds")
        degrees = {"lat": place.lat, "long": place.long}
        if name in degrees:
            return "" if degrees[name] is None else f"{degrees[name]:.6f}"
        return {"address": place.address, "address_id": place.address_id}[name]


def first_unmet(conditions: Iterable[Condition], answered: Mapping[str, tuple[str, ...]]) -> Condition | None:
    """The first condition that the answers do not meet; None if they meet all."""
    for condition in conditions:
        if not set(answered.get(condition.attribute, ())) & set(condition.values):
            return condition
    return None


def unknown_fields(template: str) -> list[str]:
    """The fields in a template of `set_to` that do not exist."""
    return [name for name in _FIELD.findall(template) if name not in FIELDS]
