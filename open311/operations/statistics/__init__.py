"""The statistics: counting each change, answering questions about the counts, and forecasts."""
