"""A worker of the town in a process of its own, which a test kills: `python -m tests.sms.worker`."""

from __future__ import annotations

import os

from open311.clock import utc_now
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.sms.sending import send_all
from open311.settings import Settings
from tests import build, world
from tests.sms.towns import OWN, city

if __name__ == "__main__":
    settings = Settings(
        database_url=os.environ["SMS_DATABASE"],
        sms_url=os.environ["SMS_URL"],
        sms_secret=world.SECRET,
        sms_private=True,
        sms_timeout_s=60,
        public_url=OWN,
    )
    platform = build.platform(settings, city())
    while dispatch(platform, utc_now()):
        continue
    send_all(platform, utc_now)
