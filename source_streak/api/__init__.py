"""Streak over HTTP: requests, retries, lists, and what answers mean. Knows nothing of streams."""
