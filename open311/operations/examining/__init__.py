"""`open311 doctor`: looks for what is wrong, or will soon be wrong, and names the command that corrects it.

findings.py  a finding, and how the checks of one subject become lines
machine.py   settings, secrets, versions, disks, certificates; without a database
pooler.py    the pooler between web processes and PostgreSQL
replica.py   the replica
stored.py    PostgreSQL: versions, schema, indexes, tables, clock, connections, what holds back the change feed
working.py   queue, back offices, receivers, mail, text messages, the media store, neighbours
examine.py   all of them in one order

Nothing here writes, and no finding has a secret or personal data.
"""
