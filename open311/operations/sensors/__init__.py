"""Things that report by themselves: their observations, and the requests that come of them (decision 0054)."""
