"""Our own calls beside the standard's (spec/extensions.md): each module declares endpoints."""
