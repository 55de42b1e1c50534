"""The statistics: counting each change, and answering questions about the counts."""
