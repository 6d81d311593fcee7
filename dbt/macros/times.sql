{# A column of times as UTC without a time zone. `type` is the warehouse's own, in lower case. #}
{% macro streak_utc(name, type) %}
    {{ return(adapter.dispatch('streak_utc', 'streak')(name, type)) }}
{% endmacro %}

{% macro default__streak_utc(name, type) %}
    {%- if 'with time zone' in type or type == 'timestamptz' -%}
        {{ return('(' ~ name ~ " at time zone 'UTC')") }}
    {%- elif 'char' in type or type in ('text', 'string') -%}
        {{ return('(cast(' ~ name ~ " as timestamp with time zone) at time zone 'UTC')") }}
    {%- endif -%}
    {{ return('cast(' ~ name ~ ' as ' ~ streak.streak_type('time') ~ ')') }}
{% endmacro %}

{% macro snowflake__streak_utc(name, type) %}
    {%- if 'ntz' in type or type in ('date', 'datetime') -%}
        {{ return('cast(' ~ name ~ ' as ' ~ streak.streak_type('time') ~ ')') }}
    {%- endif -%}
    {%- set moment = 'to_timestamp_tz(' ~ name ~ ')' if 'char' in type or type in ('text', 'string') else name -%}
    {{ return("cast(convert_timezone('UTC', " ~ moment ~ ') as ' ~ streak.streak_type('time') ~ ')') }}
{% endmacro %}

{% macro bigquery__streak_utc(name, type) %}
    {{ return(name if type == 'timestamp' else 'timestamp(' ~ name ~ ')') }}
{% endmacro %}


{# Now, or the moment of the variable streak_now, in UTC. #}
{% macro streak_now() %}
    {%- set given = streak.streak_setting('streak_now') -%}
    {%- if given -%}
        {{ return("cast('" ~ given ~ "' as " ~ streak.streak_type('time') ~ ')') }}
    {%- endif -%}
    {{ return(adapter.dispatch('streak_current', 'streak')()) }}
{% endmacro %}

{% macro default__streak_current() %}{{ return("(now() at time zone 'UTC')") }}{% endmacro %}
{% macro snowflake__streak_current() %}{{ return('sysdate()') }}{% endmacro %}
{% macro bigquery__streak_current() %}{{ return('current_timestamp()') }}{% endmacro %}


{# A time in UTC as the clocks of streak_timezone show it. #}
{% macro streak_local(time) %}
    {%- set zone = streak.streak_setting('streak_timezone') -%}
    {{ return(adapter.dispatch('streak_local', 'streak')(time, zone)) }}
{% endmacro %}

{% macro default__streak_local(time, zone) %}
    {{ return('((' ~ time ~ ") at time zone 'UTC' at time zone '" ~ zone ~ "')") }}
{% endmacro %}

{% macro snowflake__streak_local(time, zone) %}
    {{ return("convert_timezone('UTC', '" ~ zone ~ "', " ~ time ~ ')') }}
{% endmacro %}

{% macro bigquery__streak_local(time, zone) %}
    {{ return('datetime(' ~ time ~ ", '" ~ zone ~ "')") }}
{% endmacro %}


{# The day of a time in streak_timezone. #}
{% macro streak_day(time) %}
    {{ return('cast(' ~ streak.streak_local(time) ~ ' as date)') }}
{% endmacro %}

{# The first day of the month of a time in streak_timezone. #}
{% macro streak_month(time) %}
    {{ return('cast(' ~ dbt.date_trunc('month', streak.streak_local(time)) ~ ' as date)') }}
{% endmacro %}

{# Time between two times, with fractions: in days, hours or minutes. #}
{% macro streak_days(earlier, later) %}{{ return(streak.streak_between(earlier, later, 86400000)) }}{% endmacro %}
{% macro streak_hours(earlier, later) %}{{ return(streak.streak_between(earlier, later, 3600000)) }}{% endmacro %}
{% macro streak_minutes(earlier, later) %}{{ return(streak.streak_between(earlier, later, 60000)) }}{% endmacro %}

{% macro streak_between(earlier, later, milliseconds) %}
    {{ return(streak.streak_ratio(dbt.datediff(earlier, later, 'millisecond'), milliseconds | string)) }}
{% endmacro %}

{# A date so many days or months later. #}
{% macro streak_date_add(part, number, date) %}
    {{ return('cast(' ~ dbt.dateadd(part, number, date) ~ ' as date)') }}
{% endmacro %}


{# A table of the numbers 0, 1, 2 … below a power of ten: streak_numbers(4) has 10,000. Column: n. #}
{% macro streak_numbers(digits) %}
    {%- for power in range(digits) %}
        {{- 'select ' if loop.first }}
        {{- ' + ' if not loop.first }}{{ 10 ** power }} * d{{ power }}.digit
    {%- endfor %} as n
    {%- for power in range(digits) %}
    {{ 'from' if loop.first else 'cross join' }} (
        {%- for digit in range(10) %}select {{ digit }} as digit{{ ' union all ' if not loop.last }}{% endfor -%}
    ) as d{{ power }}
    {%- endfor %}
{% endmacro %}
