"""Hypothesis strategies for any JSON, including values that often break programs."""

from __future__ import annotations

from hypothesis import strategies as st

NUMBERS = st.sampled_from(
    [
        *(0, -1, 1, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 10**25),
        *(1e300, 1e25, -1e19, 0.5, 1_772_361_296_789),
    ]
)
TEXTS = st.text(max_size=6) | st.sampled_from(
    [
        *("", "key", "1001", "9001", "٣", "²", "\x00", "\ud83d", "🎧", "%s {0} %(x)s", "../.."),
        *("ﷺ" * 9, "select", "true", "1e9", "-0", "9" * 30),
    ]
)
SMALL = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = st.text(max_size=4) | st.sampled_from(
    [
        *("key", "name", "type", "fields", "email", "userKey", "directUrl", "tags", "items"),
        *("dropdownSettings", "tagSettings", "results", "tag"),
    ]
)
JSON = st.recursive(
    SMALL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ANY = JSON | SMALL
