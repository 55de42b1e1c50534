"""The operation that trains a model on a city's own reports. It reads public texts only.

Personal data are masked in them (decision 0036). A word that fewer than five reports have is left out, so the model
has no word of a single report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from open311.domain.service_model import ServiceModel, terms_of
from open311.domain.text_search import Stemming
from open311.errors import Misconfigured
from open311.operations.platform import Platform
from open311.operations.suggesting.evaluating import INSTALL, Score, Sentence, own_ranking, score
from open311.operations.suggesting.suggest import offered_in
from open311.operations.upkeep.sync_catalogues import digest_of
from open311.plugins import Jurisdiction
from open311.storage import suggestions

MOST_REQUESTS = 50_000
LEAST_REQUESTS = 200
"""With fewer public descriptions than this, words of single reports would decide."""
LEAST_OF_SERVICE = 10
LEAST_OF_TERM = 5
"""A model has only words that are in at least this many reports."""
MOST_TERMS = 20_000
TESTED = 5
"""The requests are divided into this many parts by age. The newest part is held back for the test, because a model
is used for reports that come after those with which it was trained.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model that was trained on all requests, and how well the search finds the services of the newest requests.

    without     the score of the search alone
    with_model  the score of the search with another model, which was trained on the older requests only
    """

    model: ServiceModel
    without: Score
    with_model: Score

    @property
    def helps(self) -> bool:
        """Whether the model finds more right services than the search alone."""
        return self.with_model.among_three > self.without.among_three or (
            self.with_model.among_three == self.without.among_three and self.with_model.first > self.without.first
        )


def train(platform: Platform, city: Jurisdiction, *, now: datetime) -> Trained:
    """Train a model on the public descriptions of a city's requests, and test how much such a model helps.

    Raises Misconfigured if scikit-learn is not installed, or if the city has too few descriptions.
    """
    with platform.database.reading() as connection:
        rows = suggestions.published_texts(connection, city.id, MOST_REQUESTS)
    offered = offered_in(city, city.in_season(now))
    known = [(found.code, text) for code, text in rows if (found := city.service(code)) is not None]
    examples = [(code, text) for code, text in known if code in offered.by_code]
    newest = len(examples) // TESTED
    tested, older = examples[:newest], examples[newest:]
    first = _fitted(city, older)
    sentences = [Sentence(text, frozenset((code,))) for code, text in tested]
    return Trained(
        model=_fitted(city, examples),
        without=score(own_ranking(offered), sentences),
        with_model=score(own_ranking(offered, first), sentences),
    )


def _fitted(city: Jurisdiction, examples: Sequence[tuple[str, str]]) -> ServiceModel:
    """Train a model with examples, which are pairs of a service's code and a text."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise Misconfigured(f"training needs scikit-learn: {INSTALL}.") from None
    counts = Counter(code for code, _ in examples)
    used = [(code, text) for code, text in examples if counts[code] >= LEAST_OF_SERVICE]
    codes = tuple(sorted({code for code, _ in used}))
    if len(used) < LEAST_REQUESTS or len(codes) < 2:
        raise Misconfigured(
            f"{city.id} has {len(used)} public descriptions to train with, of {len(codes)} services with at least"
            f" {LEAST_OF_SERVICE} each; a model needs {LEAST_REQUESTS} of two services or more, and a fifth of all"
            " is kept for its test."
        )
    language = city.languages[0]
    vectorizer: Any = TfidfVectorizer(
        analyzer=partial(terms_of, stemming=Stemming([language])),
        min_df=LEAST_OF_TERM,
        max_features=MOST_TERMS,
        sublinear_tf=True,
    )
    vectors = vectorizer.fit_transform([text for _, text in used])
    regression: Any = LogisticRegression(C=10.0, max_iter=300)
    regression.fit(vectors, [code for code, _ in used])
    weights, offsets = regression.coef_, regression.intercept_
    if len(codes) == 2:  # the regression then has one row of weights, for the second service
        weights, offsets = [-weights[0] / 2, weights[0] / 2], [-offsets[0] / 2, offsets[0] / 2]
    return ServiceModel(
        edition=digest_of(city),
        language=language,
        codes=codes,
        terms=tuple(vectorizer.get_feature_names_out().tolist()),
        rarities=vectorizer.idf_,
        weights=_columns(weights),
        offsets=_columns(offsets),
        requests=len(used),
    )


def _columns(rows: Any) -> Any:
    """The rows as columns: the model multiplies the vector of a text with them."""
    import numpy as np

    return np.ascontiguousarray(np.asarray(rows, dtype=np.float32).T)
