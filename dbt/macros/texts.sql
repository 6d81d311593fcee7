{# A text in quotes. #}
{% macro streak_quoted(text) %}
    {{ return("'" ~ dbt.escape_single_quotes(text | string) ~ "'") }}
{% endmacro %}


{# A text with every match of a pattern replaced. Patterns are such as all four databases read alike: no backslash. #}
{% macro streak_replaced(text, pattern, by) %}
    {{ return(adapter.dispatch('streak_replaced', 'streak')(text, streak.streak_quoted(pattern), streak.streak_quoted(by))) }}
{% endmacro %}

{% macro default__streak_replaced(text, pattern, by) %}
    {{ return('regexp_replace(' ~ text ~ ', ' ~ pattern ~ ', ' ~ by ~ ", 'g')") }}
{% endmacro %}

{% macro snowflake__streak_replaced(text, pattern, by) %}
    {{ return('regexp_replace(' ~ text ~ ', ' ~ pattern ~ ', ' ~ by ~ ')') }}
{% endmacro %}

{% macro bigquery__streak_replaced(text, pattern, by) %}
    {{ return('regexp_replace(' ~ text ~ ', ' ~ pattern ~ ', ' ~ by ~ ')') }}
{% endmacro %}


{# Whether a whole text is as the pattern says. #}
{% macro streak_matches(text, pattern) %}
    {%- set whole = streak.streak_quoted('^' ~ pattern ~ '$') -%}
    {{ return(adapter.dispatch('streak_matches', 'streak')(text, whole)) }}
{% endmacro %}

{% macro default__streak_matches(text, pattern) %}{{ return('regexp_matches(' ~ text ~ ', ' ~ pattern ~ ')') }}{% endmacro %}
{% macro postgres__streak_matches(text, pattern) %}{{ return('(' ~ text ~ ' ~ ' ~ pattern ~ ')') }}{% endmacro %}
{% macro snowflake__streak_matches(text, pattern) %}{{ return('regexp_like(' ~ text ~ ', ' ~ pattern ~ ')') }}{% endmacro %}
{% macro bigquery__streak_matches(text, pattern) %}{{ return('regexp_contains(' ~ text ~ ', ' ~ pattern ~ ')') }}{% endmacro %}


{# The first part of a text that is as the pattern says; null if none is. #}
{% macro streak_part(text, pattern) %}
    {{ return(adapter.dispatch('streak_part', 'streak')(text, streak.streak_quoted(pattern))) }}
{% endmacro %}

{% macro default__streak_part(text, pattern) %}
    {{ return("nullif(regexp_extract(" ~ text ~ ', ' ~ pattern ~ "), '')") }}
{% endmacro %}

{% macro postgres__streak_part(text, pattern) %}{{ return('substring(' ~ text ~ ' from ' ~ pattern ~ ')') }}{% endmacro %}
{% macro snowflake__streak_part(text, pattern) %}{{ return('regexp_substr(' ~ text ~ ', ' ~ pattern ~ ')') }}{% endmacro %}
{% macro bigquery__streak_part(text, pattern) %}{{ return('regexp_extract(' ~ text ~ ', ' ~ pattern ~ ')') }}{% endmacro %}


{# An e-mail address as it is compared: lower case, without the name before it. #}
{% macro streak_address(text) %}
    {%- set inner = dbt.split_part(dbt.split_part(text, "'<'", 2), "'>'", 1) -%}
    {{ return('lower(trim(case when ' ~ text ~ " like '%<%>%' then " ~ inner ~ ' else ' ~ text ~ ' end))') }}
{% endmacro %}


{# One number by another, with fractions; null where the other is 0. #}
{% macro streak_ratio(number, by) %}
    {{ return('(cast(' ~ number ~ ' as ' ~ streak.streak_type('number') ~ ') / nullif(' ~ by ~ ', 0))') }}
{% endmacro %}


{# The median of a number over the rows of a group. #}
{% macro streak_median(number) %}
    {{ return(adapter.dispatch('streak_median', 'streak')(number)) }}
{% endmacro %}

{% macro default__streak_median(number) %}{{ return('median(' ~ number ~ ')') }}{% endmacro %}

{% macro postgres__streak_median(number) %}
    {{ return('percentile_cont(0.5) within group (order by ' ~ number ~ ')') }}
{% endmacro %}

{# BigQuery has no exact median as an aggregate; of an even number this is the lower of the two in the middle. #}
{% macro bigquery__streak_median(number) %}
    {{ return('approx_quantiles(' ~ number ~ ', 2)[offset(1)]') }}
{% endmacro %}
