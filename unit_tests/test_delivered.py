"""The keys of delivered rows, compared with a plain model, and the bytes that they take."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streak_sandbox import keys

from source_streak.incremental.delivered import Delivered
from source_streak.incremental.packed import pack

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=200)

SCOPES = st.sampled_from(["sales", "hiring", ""])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
KEYS = st.sampled_from(["a", "b", "c", '"', "\n", "\\", "é\u2028💰", ""]) | TEXT
ROWS = st.lists(KEYS, max_size=4)
ACTIONS = st.one_of(
    st.tuples(st.just("remember"), SCOPES, KEYS, ROWS),
    st.tuples(st.just("replace"), SCOPES, KEYS, ROWS),
    st.tuples(st.just("forget"), SCOPES, st.lists(KEYS, max_size=3)),
    st.tuples(st.just("forget_scope"), SCOPES),
    st.tuples(st.just("move"), KEYS, SCOPES, SCOPES),
    st.tuples(st.just("save")),
)
Model = dict[str, dict[str, set[str]]]


def later(delivered: Delivered, keeps_empty: bool = False) -> Delivered:
    """The one of the next sync, read from the texts as JSON."""
    return Delivered(json.loads(json.dumps(delivered.texts())), keeps_empty)


def apply(model: Model, keeps_empty: bool, action: str, *what: Any) -> None:
    """Do to the plain model what an action does to Delivered."""
    if action == "remember":
        scope, parent, rows = what
        model[scope].setdefault(parent, set()).update(rows)
    elif action == "replace":
        scope, parent, rows = what
        model[scope][parent] = set(rows)
    elif action == "forget":
        scope, parents = what
        for parent in parents:
            model[scope].pop(parent, None)
    elif action == "forget_scope":
        model.pop(what[0], None)
    elif action == "move":
        parent, old, new = what
        if old != new and parent in model[old]:
            model[new].setdefault(parent, set()).update(model[old].pop(parent))
    for parents in model.values():
        for parent in [one for one, rows in parents.items() if not rows and not keeps_empty]:
            del parents[parent]


@EXAMPLES
@given(st.lists(ACTIONS, max_size=20), st.booleans())
def test_delivered_agrees_with_a_plain_model_through_any_number_of_syncs(
    actions: list[tuple[Any, ...]], keeps_empty: bool
) -> None:
    delivered, model = Delivered(keeps_empty=keeps_empty), defaultdict(dict)
    for action, *what in actions:
        if action == "save":
            delivered = later(delivered, keeps_empty)
        else:
            getattr(delivered, action)(*what)
            apply(model, keeps_empty, action, *what)

        assert delivered.scopes() == {scope for scope, parents in model.items() if parents}
        for scope in ("sales", "hiring", ""):
            assert set(delivered.parents(scope)) == model[scope].keys()
            for parent, rows in model[scope].items():
                assert delivered.rows(scope, parent) == rows
                assert delivered.holds(scope, parent)
    assert not delivered.complaint
    texts = delivered.texts()
    assert texts.keys() == delivered.scopes()
    assert len(json.dumps(texts, ensure_ascii=False)) <= delivered.size() + len('{"\\""}')


def test_delivered_is_empty_before_anything_is_remembered() -> None:
    delivered = Delivered()

    assert delivered.scopes() == set()
    assert delivered.parents("sales") == set()
    assert delivered.rows("sales", "box") == frozenset()
    assert not delivered.holds("sales", "box")
    assert delivered.texts() == {}
    assert delivered.size() == 0


def test_a_parent_without_rows_is_remembered_only_where_the_parents_are_the_rows() -> None:
    boxes, comments = Delivered(keeps_empty=True), Delivered()
    for delivered in (boxes, comments):
        delivered.remember("sales", "box")
        delivered.replace("sales", "other", [])

    assert later(boxes, keeps_empty=True).parents("sales") == {"box", "other"}
    assert comments.texts() == {}


def test_the_order_in_which_rows_came_does_not_change_the_text() -> None:
    one, two = Delivered(), Delivered()
    one.remember("sales", "box", ["a", "b", "a"])
    one.remember("sales", "other", ["c"])
    two.remember("sales", "other", ["c"])
    two.remember("sales", "box", ["b"])
    two.remember("sales", "box", ["a"])

    assert one.texts() == two.texts()


def test_texts_that_were_returned_do_not_change_later() -> None:
    delivered = Delivered()
    delivered.remember("sales", "box", ["a"])
    before = delivered.texts()
    as_it_was = dict(before)
    delivered.remember("sales", "box", ["b"])
    delivered.forget_scope("hiring")

    assert before == as_it_was
    assert delivered.texts() != before


def test_calls_that_change_nothing_keep_the_packed_text() -> None:
    """A scope is packed again only when it has changed."""
    delivered = Delivered()
    delivered.remember("sales", "box", ["a", "b"])
    again = later(delivered)
    packed = again.texts()["sales"]
    again.remember("sales", "box", ["b"])
    again.replace("sales", "box", ["b", "a"])
    again.forget("sales", ["another"])
    again.move("another", "sales", "hiring")
    again.rows("sales", "box")

    assert again.texts()["sales"] is packed


def test_a_scope_without_rows_disappears_from_the_texts() -> None:
    delivered = Delivered()
    delivered.remember("sales", "box", ["a"])
    delivered.remember("hiring", "box", ["a"])
    again = later(delivered)
    again.forget("sales", ["box"])
    again.replace("hiring", "box")

    assert again.texts() == {}
    assert again.size() == 0
    assert again.scopes() == set()


def test_moving_a_box_adds_its_rows_to_those_in_the_new_scope() -> None:
    delivered = Delivered()
    delivered.remember("sales", "box", ["a"])
    delivered.remember("hiring", "box", ["b"])
    delivered.move("box", "sales", "hiring")
    delivered.move("box", "hiring", "hiring")

    assert not delivered.holds("sales", "box")
    assert delivered.rows("hiring", "box") == {"a", "b"}
    assert delivered.scopes() == {"hiring"}


def test_giving_up_keys_forgets_all_of_them_and_remembers_no_new_ones() -> None:
    delivered = Delivered({"hiring": pack(b'["box"]\n["a"]\n')}, keeps_empty=True)
    delivered.remember("sales", "box", ["a"])
    delivered.give_up()
    delivered.remember("sales", "box", ["a"])
    delivered.replace("hiring", "box", ["a"])
    delivered.move("box", "sales", "hiring")

    assert delivered.texts() == {}
    assert delivered.size() == 0
    assert delivered.scopes() == set()
    assert not delivered.holds("hiring", "box")


# Damage


def damaged(content: bytes) -> str:
    return pack(content)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "eJw=", "KLUv", "===", "\u00e9"),
        *map(damaged, [b"", b"x", b"{}\n", b"5\n5\n", b'["a"]\n', b'["a"]\n["b"]\n["c"]\n']),
        *map(damaged, [b'["a"]\n{"b":1}\n', b'["a"]\n[5]\n', b'[5]\n["b"]\n', b'["a"]\n"b"\n']),
        *map(damaged, [b'[["a"]]\n["b"]\n', b"\xff\n", b'["a"]\n\n["b"]\n', b"[" * 10_000]),
    ],
    ids=lambda text: text[-20:],
)
def test_an_unreadable_scope_is_forgotten_with_a_complaint_and_others_stay(text: str) -> None:
    whole = Delivered()
    whole.remember("hiring", "box", ["a"])
    delivered = Delivered({**whole.texts(), "sales": text})
    assert not delivered.complaint, "nobody asked for it yet"
    assert delivered.scopes() == {"sales", "hiring"}

    assert delivered.rows("sales", "box") == frozenset()
    assert delivered.complaint
    delivered.remember("sales", "box", ["b"])
    assert later(delivered).rows("sales", "box") == {"b"}
    assert later(delivered).rows("hiring", "box") == {"a"}


def test_a_truncated_or_altered_text_is_noticed_or_means_the_same() -> None:
    whole = Delivered()
    for box in ("one", "two"):
        whole.remember("sales", box, ["a", "b"])
    text = whole.texts()["sales"]
    others = [text[:length] for length in range(len(text))]
    others += [
        text[:place] + letter + text[place + 1 :]
        for place in range(len(text))
        for letter in "A9+/=z\n é"
    ]
    for other in others:
        delivered = Delivered({"sales": other})
        assert delivered.rows("sales", "one") == {"a", "b"} or delivered.complaint
        assert set(delivered.parents("sales")) == (set() if delivered.complaint else {"one", "two"})


@EXAMPLES
@given(
    st.text(max_size=60)
    | st.binary(max_size=60).map(lambda packed: base64.b64encode(packed).decode())
    | st.binary(max_size=60).map(pack)
    | st.lists(st.sampled_from(['["a"]', "[]", "5", '["a","b"]', "[5]", "{"]), max_size=4).map(
        lambda lines: pack("\n".join(lines).encode())
    )
)
def test_delivered_can_be_loaded_from_any_text_and_used(text: str) -> None:
    delivered = Delivered({"sales": text}, keeps_empty=True)
    for parent in list(delivered.parents("sales")):
        assert all(isinstance(row, str) for row in delivered.rows("sales", parent))
    delivered.remember("sales", "new", ["row"])

    assert later(delivered, keeps_empty=True).rows("sales", "new") == {"row"}


# Size


def scattered(numbers: Random, kind: str) -> str:
    """A key with a random number, as Streak may choose it, and not one of a sequence."""
    number = numbers.randrange(2**44, 2**53)
    return keys._reference(("Organization", keys.MAIL_DOMAIN), (kind, number))


def with_children(boxes: int, of_sandbox: bool) -> tuple[Delivered, int]:
    """The comments of this many boxes, 0 to 8 each, and how many keys these are with the boxes."""
    numbers, delivered, count = Random(7), Delivered(), 0  # noqa: S311
    for box in range(boxes):
        parent = keys.box_key(box) if of_sandbox else scattered(numbers, "Case")
        children = [
            keys.child_key("Comment", parent, child)
            if of_sandbox
            else scattered(numbers, "Comment")
            for child in range(numbers.choice([0, 1, 1, 2, 3, 8]))
        ]
        delivered.remember("sales", parent, children)
        count += len(children) + bool(children)
    return delivered, count


@pytest.mark.parametrize(("of_sandbox", "most"), [(True, 5), (False, 12.5)])
def test_the_keys_of_boxes_and_comments_take_few_bytes(of_sandbox: bool, most: float) -> None:
    delivered, count = with_children(5_000, of_sandbox)

    assert delivered.size() / count < most


@pytest.mark.parametrize(("of_sandbox", "most"), [(True, 2), (False, 11.5)])
def test_the_keys_of_boxes_alone_take_few_bytes(of_sandbox: bool, most: float) -> None:
    numbers, delivered = Random(7), Delivered(keeps_empty=True)  # noqa: S311
    for box in range(10_000):
        key = keys.box_key(box) if of_sandbox else scattered(numbers, "Case")
        delivered.remember("sales", key)

    assert delivered.size() / 10_000 < most


def test_the_key_of_a_field_takes_less_than_a_byte() -> None:
    numbers, count = Random(7), 0  # noqa: S311
    plain, with_fields = Delivered(keeps_empty=True), Delivered()
    for box in range(10_000):
        chosen = [str(1001 + field) for field in range(14) if numbers.random() < 0.7]
        plain.remember("sales", keys.box_key(box))
        with_fields.remember("sales", keys.box_key(box), chosen)
        count += len(chosen)

    assert (with_fields.size() - plain.size()) / count < 1


def test_a_pipeline_with_one_box_takes_few_bytes() -> None:
    delivered = Delivered()
    delivered.remember(keys.pipeline_key(1), keys.box_key(1), [keys.child_key("Task", "x", 1)])

    assert delivered.size() < 350


def test_equal_rows_of_many_parents_are_one_object_in_memory() -> None:
    delivered = Delivered()
    for box in range(100):
        delivered.remember("sales", str(box), ["1001", "1002"])
    again = later(delivered)

    for held in (delivered, again):
        assert held.parents("sales")
        assert len({id(line) for line in held._scopes["sales"].values()}) == 1


@pytest.mark.parametrize("parents", [1, 9_999, 10_000, 10_001, 20_000])
def test_any_number_of_parents_comes_back_from_the_text(parents: int) -> None:
    delivered = Delivered(keeps_empty=True)
    for number in range(parents):
        delivered.remember("sales", f"b{number}")

    assert len(later(delivered, keeps_empty=True).parents("sales")) == parents


def test_shared_keys_replace_equal_ones_and_change_nothing_else() -> None:
    delivered = Delivered()
    delivered.remember("sales", keys.box_key(1), ["a"])
    delivered.remember("sales", keys.box_key(2), ["b"])
    again, listed = later(delivered), keys.box_key(1)
    again.share("sales", [listed, keys.box_key(3)])

    assert [one for one in again.parents("sales") if one is listed]
    assert again.texts() == delivered.texts()
    assert again.rows("sales", keys.box_key(2)) == {"b"}
