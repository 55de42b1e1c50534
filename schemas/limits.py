"""The caps of the wire contract. Each parameter says whether a larger value is cut or refused."""

MAX_ROWS = 1_000
"""Items on one page (A30)."""
MAX_IDS = 1_000
"""Ids in one comma-separated list (A19)."""
MAX_SENTENCE_CHARACTERS = 500
"""The longest sentence by which services are suggested."""
MOST_SUGGESTIONS = 3
"""How many services are suggested for a sentence: so few that a person reads all of them."""
MAX_RADIUS_M = 50_000.0
MAX_QUERY_CHARACTERS = 200
MAX_VICINITY_M = 1_000
MAX_VICINITY_DAYS = 365
LONGEST_WAIT_S = 25.0
WITHIN_DAYS = (1, 2, 3, 4, 5, 6, 7, 10, 14, 21, 30, 60, 90, 180, 365)
"""Each N of "closed within N days". The statistics keep counts for these N; another one needs a migration."""
MOST_NOTICE_POINTS = 2_000
"""How many points the polygon of a notice may have."""
MOST_HEADLINE_CHARACTERS = 160
MOST_NOTICE_CHARACTERS = 2_000
MOST_NOTICE_ROWS = 100
"""How many notices one page of a list has at most."""
MOST_NOTICE_TEXTS = 20
NOTICE_CATEGORIES = (
    "Geo",
    "Met",
    "Safety",
    "Security",
    "Rescue",
    "Fire",
    "Health",
    "Env",
    "Transport",
    "Infra",
    "CBRNE",
    "Other",
)
NOTICE_SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
