"""Sign-in of staff by an OpenID Connect provider."""
