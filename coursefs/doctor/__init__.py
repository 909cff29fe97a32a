"""The checks of `coursefs doctor`: what prevents coursefs from working here, and the command that fixes it."""
