"""One stream, one sync.

Parents > answers > rows > records > what was left out, and what is deleted.
"""
