"""All consumers of changes."""

from __future__ import annotations

from open311.operations.delivery.planning import Planning
from open311.operations.dispatch.consumer import Consumer
from open311.operations.dispatch.counting import Counting
from open311.operations.dispatch.mapping import Mapping
from open311.operations.dispatch.preparing import Preparing
from open311.operations.dispatch.renewing import Renewing
from open311.operations.dispatch.resolving import Resolving
from open311.operations.mailing.queueing import Mailing
from open311.operations.sms.queueing import Texting
from open311.operations.statistics.asking import Asking
from open311.operations.statistics.counting import CountingStatistics
from open311.operations.subscriptions.announcing import Announcing

CONSUMERS: tuple[Consumer, ...] = (
    Resolving(),
    Counting(),
    Asking(),
    Mapping(),
    Planning(),
    Preparing(),
    Renewing(),
    CountingStatistics(),
    Announcing(),
    Mailing(),
    Texting(),
)
