"""The embedded default: a private PostgreSQL with PostGIS, for a machine where nobody set DATABASE_URL.

PostgreSQL as the distribution ships it, run as a server of our own: its data lies below one folder, it is
reachable only through a unix socket in a folder with mode 0700, the first process that holds the cluster starts
the server, and the last one that releases the cluster stops it.

binaries   find the PostgreSQL programs, or install them
account    the operating system user that the server runs as
files      where data, sockets, locks and log lie
server     the server process: create its data, start it, stop it
databases  connections to the server, and databases inside it
locks      file locks: one process at a time, and who holds the cluster
processes  what the operating system says about processes
cluster    `Cluster`, the door to all of it
"""

from open311.embedded.binaries import find_binaries, install_binaries
from open311.embedded.cluster import Cluster

__all__ = ["Cluster", "find_binaries", "install_binaries"]
