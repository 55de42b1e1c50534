"""A worker of the town in a process of its own, which a test kills: `python -m tests.mailing.worker`."""

from __future__ import annotations

import os

from open311.clock import utc_now
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.mailing.sending import send_all
from open311.settings import Settings
from tests import build
from tests.mailing.towns import OWN, city

if __name__ == "__main__":
    settings = Settings(
        database_url=os.environ["MAIL_DATABASE"],
        smtp_url=f"{os.environ['MAIL_URL']}?starttls=optional&timeout=60",
        mail_from="City <desk@city.example>",
        bounce_mail="bounces@city.example",
        public_url=OWN,
    )
    platform = build.platform(settings, city())
    while dispatch(platform, utc_now()):
        continue
    send_all(platform, utc_now)
