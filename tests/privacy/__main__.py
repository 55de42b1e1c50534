"""Plants the corpus in a server that logs everything, and makes mistakes: python -m tests.privacy URL FOLDER

URL is that of an empty, migrated database. A logger keeps the level of its first use, so this needs a process of
its own. The log is on standard error. The last line of standard output has the people of the corpus, and the
statuses of the mistakes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from open311.domain.case import SHAREABLE
from open311.observe import all_lines_logged
from tests.privacy.corpus import plant, town
from tests.privacy.exits import crawl
from tests.privacy.mistakes import make_mistakes
from tests.working import work

if __name__ == "__main__":
    url, folder = sys.argv[1:]
    with all_lines_logged(), town(url, Path(folder), shared=SHAREABLE, log_level="debug") as place:
        place.hooks.respond = lambda hook: (422, {"errors": [{"code": 422, "description": json.dumps(hook.data)}]})
        plant(place)
        sum(1 for _ in crawl(place))
        statuses = make_mistakes(place)
        work(place.platform)
        people = [(one.door, one.number) for one in place.people.values()]
        sys.stdout.write(json.dumps({"people": people, "statuses": statuses}) + "\n")
