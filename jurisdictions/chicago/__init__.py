"""Chicago: 191 service codes, each answered with a token; 94 of them with an attested owner."""

from open311.plugins import declared

jurisdiction = declared.load(__package__)
