"""How one stream is read in one sync.

Parents > answers > rows > records; at the end, what was left out and what was deleted.
"""
