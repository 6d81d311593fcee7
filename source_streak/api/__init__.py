"""Streak over HTTP: how it is asked, for how long, and what answers mean. Knows no stream."""
