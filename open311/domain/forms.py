"""Complete and check answers that depend on other answers, on the city's assets, or on the request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from open311.domain.assets import AssetLayer
from open311.domain.places import Place
from open311.domain.services import Attribute, Condition
from schemas.texts import Message, tell

FIELDS = ("lat", "long", "address", "address_id", "area", "received")
"""The fields of a request that `set_to` can name in braces. `area`: the names of all areas around the point."""

_FIELD = re.compile(r"\{(\w*)\}")
_MOST_EXAMPLES = 3


class Remark(NamedTuple):
    """A message to the caller about the answer to one attribute. `code`: the attribute's code."""

    code: str
    text: Message


@dataclass(frozen=True, slots=True)
class FormFiller:
    """Completes the answers of one POST, and collects messages for the caller.

    received  when the request came, in the city's time zone
    areas     a function that finds the names of the areas around the place
    keeps     whether answers to questions that are not asked are kept for staff
    remarks   messages about answers that are accepted; `complete` and `put_aside` add to this list
    faults    messages about answers that are refused; `complete` adds to this list
    kept      answers that are kept for staff, by the attribute's code; `put_aside` adds to this mapping
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
            self.put_aside(attribute.code, sent, tell("it is asked only if {condition}", condition=str(unmet)))
            return None
        if attribute.set_to:
            if sent:
                self._remark(attribute, tell("is ignored; the server sets it"))
            text = " ".join(self._text(attribute.set_to).split())
            return (text,) if text else ()
        if attribute.asset_layer:
            sent = self._asset(attribute, sent, self.layers[attribute.asset_layer])
        return sent or attribute.default

    def put_aside(self, code: str, sent: tuple[str, ...], why: Message) -> None:
        """Keep for staff an answer to a question that is not asked, or drop it. A remark tells the caller which."""
        if sent:
            kept, ignored = tell("is kept for staff only; {why}", why=why), tell("is ignored; {why}", why=why)
            self.remarks.append(Remark(code, kept if self.keeps else ignored))
        if sent and self.keeps:
            self.kept[code] = sent

    def _asset(self, attribute: Attribute, sent: tuple[str, ...], layer: AssetLayer) -> tuple[str, ...]:
        """The values of an answer that is an asset's id: as sent, or the id of the only asset near the point."""
        if len(sent) == 1:
            self._check_asset(attribute, sent[0], layer)
            return sent
        if sent or not layer.rule.fill or self.place.point is None:
            return sent
        near = layer.near(self.place.point)
        if len(near) != 1:
            return ()
        if attribute.is_shown:
            self._remark(
                attribute,
                tell(
                    "is set to {id}, the only entry of the city's list {layer} near the point",
                    id=near[0],
                    layer=layer.rule.name,
                ),
            )
        return (near[0],)

    def _check_asset(self, attribute: Attribute, asset_id: str, layer: AssetLayer) -> None:
        rule, point = layer.rule, self.place.point
        if not layer.has(asset_id):
            text = tell("{id!r} is not in the city's list {layer}", id=asset_id[:40], layer=rule.name)
        elif point is not None and layer.distance_m(asset_id, point) > rule.radius_m:
            text = tell(
                "{id!r} of the city's list {layer} is not within {metres} m of the point",
                id=asset_id[:40],
                layer=rule.name,
                metres=rule.radius_m,
            )
        else:
            return
        if rule.unknown_id == "warn":
            self._remark(attribute, tell("{fault}; it is kept as it was sent", fault=text))
            return
        near = layer.near(point)[:_MOST_EXAMPLES] if point is not None else []
        if near:
            fault = tell("{fault}; send one that is near the point: {ids}", fault=text, ids=", ".join(near))
        else:
            fault = tell("{fault}; correct it or leave it out", fault=text)
        self.faults.append(Remark(attribute.code, fault))

    def _remark(self, attribute: Attribute, text: Message) -> None:
        self.remarks.append(Remark(attribute.code, text))

    def _text(self, template: str) -> str:
        """The template with values in place of its fields; "" if all values are empty."""
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
