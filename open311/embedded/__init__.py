"""The embedded database: a private PostgreSQL with PostGIS, used if DATABASE_URL is not set.

The PostgreSQL programs of the machine run as a separate server. Its data is in one folder. Clients connect only
through a unix socket, in a folder with mode 0700. The first process that holds the cluster starts the server, and
the last process that releases the cluster stops it.

binaries   find the PostgreSQL programs, or install them
account    find the operating system user that the server runs as
files      find the paths of data, socket, locks and log
server     create the server's data, start the server, stop the server
databases  connect to the server, and create and drop databases
locks      lock files, for work that one process does at a time, and for the holders of the cluster
processes  run programs, and read the command lines of processes
cluster    `Cluster`, the interface of this package
"""

from open311.embedded.binaries import find_binaries, install_binaries
from open311.embedded.cluster import Cluster
from open311.embedded.databases import is_private_url

__all__ = ["Cluster", "find_binaries", "install_binaries", "is_private_url"]
