"""The embedded database: a private PostgreSQL with PostGIS, used if DATABASE_URL is not set.

It runs the PostgreSQL programs of the machine as a separate server. The data is in one folder. Clients connect only
through a unix socket, in a folder with mode 0700. The first process that holds the cluster starts the server, and
the last process that releases the cluster stops it.

binaries   find the PostgreSQL programs, or install them
account    the operating system user that the server runs as
files      the paths of data, socket, locks and log
server     the server process: create its data, start it, stop it
databases  connections to the server, and databases inside it
locks      file locks: one process at a time, and who holds the cluster
processes  running programs, and the command lines of processes
cluster    `Cluster`, the interface of this package
"""

from open311.embedded.binaries import find_binaries, install_binaries
from open311.embedded.cluster import Cluster

__all__ = ["Cluster", "find_binaries", "install_binaries"]
