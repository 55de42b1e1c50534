"""The HTTP server of `open311 serve`. A slow client never occupies a thread (spec/decisions/0026).

messages     the head of a request
bodies       the body of a request
answers      the answer to a request
connections  one connection and its phase
limits       limits for clients
pollers      epoll and kqueue
shares       the number of connections of each process
listening    the socket that listens
accepting    the thread that accepts connections
holding      the open connections of a process
threads      the threads that serve, and the watch
processes    the web processes
"""
