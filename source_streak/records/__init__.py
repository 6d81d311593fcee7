"""Turn rows as Streak sends them into records that fit their stream's schema.

Pure: no framework, no input or output.
"""
