"""Requests that were made elsewhere, imported from files and stored batch by batch.

An id that is stored already names the same request. A row that says otherwise changes the request, and its history
says so, unless the row is older or the request was changed here. So an import that was stopped, or that brings a
later state of the same data, can simply run again.

`open311.formats.reading` reads the rows, `open311.domain.mending` mends them, `matching` looks them up in the
catalogue, `areas` and `nearby` look up their places, `merging` decides what they change, `storing` writes them.
"""
