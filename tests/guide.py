"""The operator's guide, with the commands and the complete files that it contains."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = (Path(__file__).parents[1] / "spec" / "operating.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```\n", GUIDE, re.MULTILINE | re.DOTALL)
FILES: dict[str, str] = dict(re.findall(r"^```\w+\n#!(/\S+)\n(.*?)^```\n", GUIDE, re.MULTILINE | re.DOTALL))
"""The text of each file, by its path."""
SITE = "/etc/nginx/sites-available/open311"
UPSTREAM = "/etc/nginx/conf.d/open311-hosts.conf"
HAPROXY = "/etc/haproxy/haproxy.cfg"
