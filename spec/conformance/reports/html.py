"""A report as one HTML page, for screen and print, without scripts or external files.

The first printed page is a summary for everybody. The next pages have the details for technicians.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from spec.conformance.report import Finding, Outcome, Report, count
from spec.conformance.reports.verdict import by_reason, manner, verdict
from spec.requirements import Level, families

_STYLE = """
:root { color-scheme: light; --ink: #1a1a1a; --soft: #5b5f66; --line: #d5d8dd; --good: #17663a; --bad: #a8201a;
  --idle: #c3c7cd; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2.5rem 1.5rem; color: var(--ink); background: #fff;
  font: 15px/1.45 "Source Sans 3", "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.15; font-weight: 650; letter-spacing: -.01em; }
h2 { margin: 2.4rem 0 .6rem; font-size: 1.15rem; }
p { margin: .3rem 0; } code, .call { font: .88em/1.4 "DejaVu Sans Mono", Consolas, Menlo, monospace; }
.address { margin: .4rem 0 0; font-size: 1.1rem; overflow-wrap: anywhere; }
.verdict { margin: 1.4rem 0; padding: .9rem 1.1rem; border-left: .45rem solid;
  font-size: 1.15rem; font-weight: 600; }
.verdict.good { border-color: var(--good); background: #eef6f0; }
.verdict.bad { border-color: var(--bad); background: #fbefee; }
.soft { color: var(--soft); }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .28rem .5rem .28rem 0; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top; }
th { font-weight: 600; } .n { width: 5.5rem; text-align: right; font-variant-numeric: tabular-nums; }
.zero { color: var(--idle); } .fail { color: var(--bad); font-weight: 650; }
.bar { display: flex; height: .65rem; margin-top: .35rem; background: var(--idle); }
.bar i { display: block; } .bar .p { background: var(--good); } .bar .f { background: var(--bad); }
dl { display: grid; grid-template-columns: 5.5rem 1fr; gap: .1rem .6rem; margin: .25rem 0 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.finding { padding: .7rem 0; border-bottom: 1px solid var(--line); break-inside: avoid; }
.all { columns: 2; column-gap: 2rem; font-size: .8rem; line-height: 1.35; }
.all h3 { margin: .9rem 0 .2rem; font-size: .88rem; break-after: avoid; }
.all p { margin: 0 0 .12rem; padding-left: 4.6rem; text-indent: -4.6rem; break-inside: avoid; }
.mark { display: inline-block; width: 1rem; text-indent: 0; text-align: center; font-weight: 700; }
.number { display: inline-block; width: 3.6rem; text-indent: 0; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.passed .mark { color: var(--good); } .failed, .failed .mark { color: var(--bad); } .skipped { color: var(--soft); }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .6rem; font-size: .8rem; }
@media (max-width: 40rem) { .all { columns: 1; } body { padding: 1.2rem 1rem; } }
@page { margin: 14mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 9.5pt; } h1 { font-size: 20pt; }
  .verdict { margin: 1rem 0; font-size: 12.5pt; }
  h2 { margin-top: 1.2rem; break-after: avoid; } h2.rest { break-before: page; margin-top: 0; }
  th, td { padding-top: .2rem; padding-bottom: .2rem; } tr { break-inside: avoid; }
  .all { font-size: 7.5pt; column-gap: 1.4rem; } .all h3 { font-size: 8.5pt; }
  .bar, .verdict { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.SKIPPED: "·"}


def as_html(report: Report) -> str:
    body = [
        *_head(report),
        *_totals(report),
        *_failed(report),
        *_families(report),
        *_skipped(report),
        *_all(report),
    ]
    title = f"GeoReport v2 conformance of {escape(report.base_url)}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _head(report: Report) -> Iterator[str]:
    tone = "good" if report.conforms else "bad"
    jurisdiction = f" for {escape(report.jurisdiction_id)}" if report.jurisdiction_id else ""
    formats = " and ".join(format.upper() for format in report.formats)
    yield "<header><h1>Open311 GeoReport v2 conformance</h1>"
    yield f'<p class="address">{escape(report.base_url)}{jurisdiction}</p>'
    yield f'<p class="verdict {tone}">{escape(verdict(report))}</p>'
    yield f'<p class="soft">{escape(manner(report))}; {formats}; {report.services} services.'
    yield f" Software: {escape(str(report.dialect))}.</p></header>"


def _totals(report: Report) -> Iterator[str]:
    yield "<h2>In short</h2><table><thead><tr><th>Level</th><th></th>" + _number_heads() + "</tr></thead><tbody>"
    for level in Level:
        findings = [finding for finding in report.findings if finding.requirement.level is level]
        yield f'<tr><td style="width:6rem">{level.name}</td><td>{_bar(findings)}</td>{_numbers(findings)}</tr>'
    yield "</tbody></table>"
    yield '<p class="soft">MUST: the standard demands it. SHOULD: clients of the standard need it.'
    yield " MAY: it belongs to an extension.</p>"


def _number_heads() -> str:
    return "".join(f'<th class="n">{outcome.value.title()}</th>' for outcome in Outcome)


def _numbers(findings: list[Finding]) -> str:
    tally = count(findings)
    cells = []
    for outcome in Outcome:
        tone = "zero" if not tally[outcome] else "fail" if outcome is Outcome.FAILED else ""
        cells.append(f'<td class="n {tone}">{tally[outcome]}</td>')
    return "".join(cells)


def _bar(findings: list[Finding]) -> str:
    tally, whole = count(findings), len(findings) or 1
    parts = ((Outcome.PASSED, "p"), (Outcome.FAILED, "f"))
    inner = "".join(
        f'<i class="{name}" style="width:{100 * tally[outcome] / whole:.1f}%"></i>' for outcome, name in parts
    )
    return f'<div class="bar" role="presentation">{inner}</div>'


def _failed(report: Report) -> Iterator[str]:
    failed = report.with_outcome(Outcome.FAILED)
    if failed:
        yield "<h2>What failed</h2>"
    for finding in failed:
        requirement = finding.requirement
        name = f"<b>{requirement.number} {requirement.level.name}</b>"
        yield f'<div class="finding">{name} {_marked(requirement.text)}'
        yield f'<dl><dt>Asked</dt><dd class="call">{escape(finding.request)}</dd>'
        yield f"<dt>Expected</dt><dd>{escape(finding.expected)}</dd>"
        yield f"<dt>Received</dt><dd>{escape(finding.received)}</dd></dl></div>"


def _families(report: Report) -> Iterator[str]:
    yield "<h2>By subject</h2><table><thead><tr><th>Subject</th>" + _number_heads() + "</tr></thead><tbody>"
    for family in families():
        findings = report.of_family(family)
        if findings:
            yield f"<tr><td>{escape(family)}</td>{_numbers(findings)}</tr>"
    yield "</tbody></table>"


def _skipped(report: Report) -> Iterator[str]:
    groups = by_reason(report.with_outcome(Outcome.SKIPPED))
    if groups:
        yield '<h2 class="rest">What could not be checked</h2>'
        yield "<table><thead><tr><th>Reason</th><th>Requirements</th></tr></thead><tbody>"
        for reason, findings in groups.items():
            numbers = " ".join(finding.requirement.number for finding in findings)
            yield f'<tr><td style="width:55%">{escape(reason)}</td><td class="soft">{numbers}</td></tr>'
        yield "</tbody></table>"


def _all(report: Report) -> Iterator[str]:
    yield '<h2 class="rest">Every requirement</h2>'
    yield '<p class="soft">✓ passed, ✗ failed, · not checked</p><div class="all">'
    for family in families():
        findings = report.of_family(family)
        if findings:
            yield f"<h3>{escape(family)}</h3>"
        for finding in findings:
            number = finding.requirement.number
            yield (
                f'<p class="{finding.outcome.value}"><span class="mark">{_MARKS[finding.outcome]}</span>'
                f'<span class="number">{number}</span>{_marked(finding.requirement.text)}</p>'
            )
    yield "</div><footer>Requirements and their sources: spec/georeport-v2.md of the project open311-server,"
    yield " which made this report.</footer>"


def _marked(text: str) -> str:
    """A requirement's Markdown as HTML. It contains only code and links."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", escape(text, quote=False))
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", text)
