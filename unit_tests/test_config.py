"""Settings are checked before the first request."""

from __future__ import annotations

import pytest

from source_streak.api.errors import StreakError
from source_streak.config import DEFAULT_RATE, STREAK, Config

NEW_KEY = "Gmail > Streak > Integrations > Custom integrations > Create new key"


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAK_API_URL", raising=False)


def refused(**settings: object) -> str:
    """The error message for these settings. It is always a config_error."""
    with pytest.raises(StreakError) as refusal:
        Config.from_settings(settings)
    assert refusal.value.failure == "config_error"
    return refusal.value.sentence


def test_a_key_alone_is_enough() -> None:
    config = Config.from_settings({"api_key": "abc"})

    assert (config.api_key, config.pipelines, config.requests_per_second, config.api_url) == (
        "abc",
        (),
        8,
        "https://api.streak.com/api/",
    )


def test_the_default_rate_leaves_room_for_others_who_use_the_account() -> None:
    assert DEFAULT_RATE < 10


def test_spaces_and_line_ends_around_a_pasted_key_are_removed() -> None:
    assert Config.from_settings({"api_key": " \tabc123\r\n"}).api_key == "abc123"


@pytest.mark.parametrize("key", ["", "   ", "\n", None, 7])
def test_the_error_for_an_empty_key_says_where_to_create_one(key: object) -> None:
    assert NEW_KEY in refused(api_key=key)


@pytest.mark.parametrize(
    "key", ["abc def", "schlüssel", "abc:", "abc\x00def", "abc\ndef", "ключ", "ab\u200bc", "a\x7f"]
)
def test_a_key_with_invalid_characters_is_refused_without_being_quoted(key: str) -> None:
    sentence = refused(api_key=key)

    assert NEW_KEY in sentence
    assert key not in sentence


def test_pipeline_names_are_trimmed_and_empty_ones_are_ignored() -> None:
    assert Config.from_settings(
        {"api_key": "abc", "pipelines": ["  Sales ", "", "  ", "Hiring"]}
    ).pipelines == ("Sales", "Hiring")


def test_settings_cannot_replace_streaks_address() -> None:
    assert (
        Config.from_settings({"api_key": "abc", "api_url": "https://evil.example.com/"}).api_url
        == STREAK
    )


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8080/api/",
        "http://localhost:8080/api",
        "http://[::1]:8080/api",
        "https://gateway.example.com/api",
    ],
)
def test_an_environment_variable_can_set_another_address(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAK_API_URL", address)

    assert Config.from_settings({"api_key": "abc"}).api_url == address.rstrip("/") + "/"


@pytest.mark.parametrize(
    "address",
    [
        "http://gateway.example.com/api/",
        "http://127.0.0.1.example.com/",
        "http://localhost@example.com/",
        "http://127.0.0.1@example.com:80/",
        "http:/127.0.0.1/api",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "127.0.0.1:8080",
        "https://",
        "http://[::1",
        "http://127.0.0.1:port/",
        "nonsense",
    ],
)
def test_an_invalid_address_or_plain_http_to_another_machine_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAK_API_URL", address)

    assert "STREAK_API_URL" in refused(api_key="abc")


def test_an_empty_environment_variable_counts_as_unset() -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STREAK_API_URL", "")
        assert Config.from_settings({"api_key": "abc"}).api_url == STREAK


DATES = {
    "2024-01-31": 1_706_659_200_000,
    " 2024-01-31\n": 1_706_659_200_000,
    "2024-01-31T09:00:00Z": 1_706_691_600_000,
    "2024-01-31 09:00": 1_706_691_600_000,
    "2024-01-31T10:00:00+01:00": 1_706_691_600_000,
    "2024-01-31T09:00:00.500Z": 1_706_691_600_500,
    "1969-12-31": -86_400_000,
    "": None,
    "  ": None,
}


@pytest.mark.parametrize("text", DATES)
def test_a_start_date_is_a_day_or_a_time_in_utc_unless_it_names_another_zone(text: str) -> None:
    assert Config.from_settings({"api_key": "abc", "start_date": text}).start == DATES[text]


NO_DATES = [
    *("2024-01-01/P1D", "2024-01-01/2024-02-01", "4:", "12:30", "P1D", "now", "yesterday"),
    *("2024-13-01", "2024-02-30", "2024-01-01T25:00", "2024-01-01T09:00+99:99", "1706659200000"),
    *(
        "31.01.2024",
        "01/31/2024",
        "/",
        "T",
        "-",
        "\u0662\u0660\u0662\u0664-01-01",
        "\0",
        "²024-01-01",
        "9" * 5000,
    ),
]


@pytest.mark.parametrize("text", NO_DATES, ids=lambda text: text[:24])
def test_the_error_for_an_invalid_start_date_quotes_it_and_shows_how_to_write_one(
    text: str,
) -> None:
    sentence = refused(api_key="abc", start_date=text)

    assert text.strip()[:50] in sentence
    assert "Write it like 2024-01-31 or 2024-01-31T09:00:00Z." in sentence
    assert len(sentence) < 200


def test_whole_numbers_written_with_a_decimal_point_become_integers() -> None:
    config = Config.from_settings(
        {"api_key": "abc", "requests_per_second": 4.0, "recheck_days": 7.0}
    )

    assert [type(number) for number in (config.requests_per_second, config.recheck_days)] == [
        int,
        int,
    ]


NOW = 1_790_000_000_000
EFFECTS = {
    "a start date in the future": ({"start_date": "2999-01-01"}, ["is in the future"]),
    "a start date in the past": ({"start_date": "2020-01-01"}, []),
    "a pipeline named twice": (
        {"pipelines": ["Sales", " Sales"]},
        ['names "Sales" more than once'],
    ),
    "two of three": (
        {"pipelines": ["Sales", "Hiring", "Sales", "Hiring", "Support"]},
        ['names "Hiring", "Sales" more than once'],
    ),
    "both": (
        {"start_date": "2999-01-01", "pipelines": ["Sales", "Sales"]},
        ["is in the future", 'names "Sales" more than once'],
    ),
    "nothing": ({"pipelines": ["Sales", "sales"]}, []),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_settings_without_effect_are_reported(name: str) -> None:
    settings, words = EFFECTS[name]
    sentences = Config.from_settings({"api_key": "abc", **settings}).without_effect(NOW)

    assert len(sentences) == len(words)
    for sentence, part in zip(sentences, words, strict=True):
        assert part in sentence
        assert sentence.endswith(".")


def test_printing_the_settings_does_not_show_the_key() -> None:
    assert "abc123" not in repr(Config.from_settings({"api_key": "abc123"}))
