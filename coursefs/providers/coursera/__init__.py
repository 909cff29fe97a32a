"""Coursera: on-demand courses, read with the learner's own sign-in."""
