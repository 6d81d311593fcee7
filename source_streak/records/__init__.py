"""From rows as Streak sends them to records that fit their stream's schema.

Pure: no framework, no input or output.
"""
