"""Looking for what keeps coursefs from working here, and saying what to type against it."""
