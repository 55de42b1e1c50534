"""The subscriptions of the stub server, by the rules W1 to W3 of spec/extensions.md."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from tests.spec.stub_extensions import Extensions, Refusal, Reply


class Subscriptions(Extensions):
    """The subscriptions of StubServer. It has one subscription, and makes no others."""

    @abstractmethod
    def has(self, fault: str) -> bool: ...

    @abstractmethod
    def check_key(self, call: Any) -> str: ...

    def get_subscriptions(self, call: Any, city: dict[str, Any], name: str, single: bool, *_: Any) -> Reply:
        if not self.has("subscriptions can be read without a key"):
            self.check_key(call)
        if single:
            raise Refusal(404, f"{name} is no subscription.")
        item = {"subscription_id": "sub_1", "state": "active", "url": "https://app.example/hook"}
        headers, payload = self.wire(call, "subscriptions", [item])
        return 200, headers, payload

    def post_subscription(self, call: Any, city: dict[str, Any]) -> Reply:
        self.check_key(call)
        faults = []
        if not self.has("a webhook may have any address") and not call.get("url").startswith("https://receiver"):
            faults.append("url: must lead to a public address.")
        code, box = call.get("service_code"), call.get("bbox")
        if not self.has("any filter is accepted"):
            if code and code not in city["services"]:
                faults.append(f"service_code: {code} is no service here.")
            if box:
                faults.append("bbox: has its south above its north.")
        if faults:
            raise Refusal(400, " ".join(faults))
        raise Refusal(503, "The stub makes no subscriptions.")
