"""`make bench`: compares the cost of a request on our server and on others, with the same rows.

The main figure is CPU time per request, of the application and PostgreSQL together, over a fixed number of requests
in interleaved rounds. Other load on the machine changes CPU time by a few percent, but the rate of requests by a
factor of two. pytest does not collect these modules; `python -m tests.benchmarks --help` shows how to run them.

data.py         the database: the requests of one city, made once and reused; city.py generates them
contestants/    the servers: ours, and small servers of other kinds
workloads.py    the requests that the servers get
load.py cpu.py  the client, and measurement of CPU time
measures.py     rounds, memory, start-up, mixed load, import
views.py        pages, statistics and tiles, compared with a page of 50 requests
sums.py         the SQL of statistics at five million requests, as a separate program
crowd.py        two hundred concurrent clients
dumping.py      the whole city as a download, an export and a daily dump
republishing.py republishing of the whole city while it is read, with a kill half-way
reading.py      reads of the whole city while other processes write
delivering.py   deliveries and updates during reads, as a separate program; back_office.py takes and sends them
uploading.py    photos during reads, as a separate program
beside.py       rounds of reads without and with a load, for delivering.py and uploading.py
subscribing.py  finding the subscriptions that a change matches, as a separate program
queueing.py     pages of a department's queue, as a separate program
importing.py    an import compared with plain COPY, as a separate program
partitioning.py requests partitioned by time, as a separate program
pooling.py      calls behind PgBouncer, as a separate program
loading.py      `make load`: load on a server of this machine
breaking.py     `make break`: slow clients, and in enduring.py POSTs while processes and the database fail
chaos.py        `make chaos`: reports between servers that are killed; towns.py has these servers
failover.py     `make failover`: kill of the primary, and promotion of the replica
telling.py      `make told`: webhooks while the worker is killed
rolling.py      `make rolling`: restarts behind the load balancers of balancers.py
killing.py      kills of processes during writes, as a separate program
optimisations.py  memory, start-up and background work, each with and without an optimisation
client.py       calls of libpq compared with psycopg's cursor
ratios.py       the ratio of two servers' figures in each round
explain.py      the plan of every query of our server
report.py       the generated page: tables, goals and plot
sections.py     sections of this page
tables.py       tables in Markdown
standing.py     the table of all goals with their newest figures
"""
