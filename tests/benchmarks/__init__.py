"""`make bench`: what a request costs here and elsewhere, side by side, over the same rows.

The figure that counts is CPU time per request, the application's and PostgreSQL's together, over a fixed number of
requests in interleaved rounds: whatever else the machine does moves it by a few percent, and requests per second by
a factor of two. Not collected by pytest; run with `python -m tests.benchmarks --help`.

data.py         the database: one city's requests, made once and used again
contestants/    the servers: ours, and small honest ones of other kinds
workloads.py    what is asked of them
load.py cpu.py  asking, and what it cost
measures.py     rounds, memory, start-up, mixed load, import
crowd.py        two hundred clients at once
dumping.py      the whole city as a download, an export, a day's dump
republishing.py the whole city rendered anew while it is read, killed half-way
reading.py      the whole city read while others write
explain.py      the plan of every query that ours runs
report.py       the table, the goals, the plot
sections.py     the page's sections on what is done beside others
"""
