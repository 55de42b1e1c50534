"""`make bench`: compares the cost of a request on our server and on others, with the same rows.

The main figure is CPU time per request, of the application and PostgreSQL together, over a fixed number of requests
in interleaved rounds. Other load on the machine changes it by a few percent, but requests per second by a factor of
two. Not collected by pytest; run with `python -m tests.benchmarks --help`.

data.py         the database: the requests of one city, made once and reused
contestants/    the servers: ours, and small servers of other kinds
workloads.py    the requests that the servers get
load.py cpu.py  the client, and measurement of CPU time
measures.py     rounds, memory, start-up, mixed load, import
crowd.py        two hundred clients at once
dumping.py      the whole city as a download, an export, a daily dump
republishing.py the whole city republished while it is read, and killed half-way
reading.py      the whole city read while other processes write
explain.py      the plan of every query of our server
report.py       tables, goals and plot
sections.py     sections of the page about work under other load, and about dumps
"""
