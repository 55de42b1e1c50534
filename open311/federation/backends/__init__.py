"""The kinds of back ends that come with the server. Like other kinds, they are installed by entry points."""
