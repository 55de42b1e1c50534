"""Prints how well the finders do: `python -m tests.personal_data [--errors]`.

The figures are precision and recall for each kind of personal data, on both halves of the labelled texts: dev, and
held-back.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from open311.domain.personal_data import DataKind
from tests.personal_data.labelled import HALVES, LANGUAGES, measure, read


def lines(*, has_errors: bool) -> Iterator[str]:
    """The figures of both halves, and on demand each text that was judged wrongly."""
    for half in HALVES:
        texts = [one for language in LANGUAGES for one in read(half, language)]
        score = measure(texts)
        yield f"{half}: {len(texts)} texts in {len(LANGUAGES)} languages"
        for kind in DataKind:
            count = score.right[kind] + score.missed[kind]
            figures = f"precision {score.precision(kind):.3f}  recall {score.recall(kind):.3f}"
            yield f"  {kind:6}{count:4} labels  {figures}"
        yield from score.errors if has_errors else ()


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(has_errors="--errors" in sys.argv)) + "\n")
