"""Requests that were made elsewhere, imported from files and stored batch by batch.

An id that is stored already names the same request: it stays as it is unless the row is newer. A newer row changes
the request, and its history says so. So an import that was stopped, or that brings a later state of the same data,
can simply run again.

`open311.formats.reading` reads the rows, `open311.domain.mending` mends them, `matching` looks them up in the
catalogue, `merging` decides what they change, `storing` writes them.
"""
