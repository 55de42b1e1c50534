"""The HTTP server of `open311 serve`. A slow client never occupies a thread (spec/decisions/0026).

messages     the head of a request, read by httptools
bodies       the body of a request; httptools reads chunked bodies
answers      the answer to a request
connections  one connection and its phase: the event that it waits for
limits       limits for clients
pollers      waiting for sockets, with epoll or kqueue
shares       the share of each process: how many of all connections it has
listening    the socket that listens
accepting    the thread that accepts connections
holding      the open connections of a process
threads      the threads that serve requests, and the watch: the thread that applies the limits
processes    the web processes: their start, replacement and end
"""
