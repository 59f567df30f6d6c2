"""The test kit: clocks that a test moves, and one asset driven by hand."""
