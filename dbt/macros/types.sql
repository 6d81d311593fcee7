{# A column of a source in the package's own type. `column` is {'name', 'type'} or none: then it is null.
   Times are UTC without a time zone (in BigQuery its TIMESTAMP), whatever the destination made of them.
   `digits` are texts such as the key of a stage: PyAirbyte writes 5001.0 for 5001 where another row has none. #}
{% macro streak_typed(column, kind) %}
    {%- if column -%}
        {%- set name, type = adapter.quote(column.name), column.type -%}
    {%- else -%}
        {%- set name, type = 'null', none -%}
    {%- endif -%}
    {%- if kind == 'time' and column -%}
        {{ return(streak.streak_utc(name, type)) }}
    {%- elif kind == 'json' and column -%}
        {{ return(streak.streak_json(name, type)) }}
    {%- elif kind == 'digits' and column -%}
        {{ return(streak.streak_replaced('cast(' ~ name ~ ' as ' ~ streak.streak_type('text') ~ ')', '[.]0$', '')) }}
    {%- endif -%}
    {{ return('cast(' ~ name ~ ' as ' ~ streak.streak_type(kind) ~ ')') }}
{% endmacro %}


{# The name of a type: text, digits, integer, number, boolean, time, date, json, money. #}
{% macro streak_type(kind) %}
    {%- if kind in ('text', 'digits') -%} {{ return(dbt.type_string()) }}
    {%- elif kind == 'integer' -%} {{ return(dbt.type_bigint()) }}
    {%- elif kind == 'number' -%} {{ return(adapter.dispatch('streak_type_number', 'streak')()) }}
    {%- elif kind == 'money' -%} {{ return(dbt.type_numeric()) }}
    {%- elif kind == 'boolean' -%} {{ return(dbt.type_boolean()) }}
    {%- elif kind == 'time' -%} {{ return('timestamp_ntz' if target.type == 'snowflake' else dbt.type_timestamp()) }}
    {%- elif kind == 'date' -%} {{ return('date') }}
    {%- elif kind == 'json' -%} {{ return(adapter.dispatch('streak_type_json', 'streak')()) }}
    {%- endif -%}
    {{ exceptions.raise_compiler_error('There is no kind ' ~ kind) }}
{% endmacro %}

{# Of 64 bits; what dbt calls a float has 32 in DuckDB. #}
{% macro default__streak_type_number() %}{{ return('double precision') }}{% endmacro %}
{% macro bigquery__streak_type_number() %}{{ return('float64') }}{% endmacro %}

{% macro default__streak_type_json() %}{{ return('json') }}{% endmacro %}
{% macro postgres__streak_type_json() %}{{ return('jsonb') }}{% endmacro %}
{% macro snowflake__streak_type_json() %}{{ return('variant') }}{% endmacro %}


{# A JSON column in the warehouse's own type; text is parsed. #}
{% macro streak_json(name, type) %}
    {{ return(adapter.dispatch('streak_json', 'streak')(name, type)) }}
{% endmacro %}

{% macro default__streak_json(name, type) %}
    {{ return('cast(' ~ name ~ ' as ' ~ streak.streak_type('json') ~ ')') }}
{% endmacro %}

{% macro snowflake__streak_json(name, type) %}
    {{ return('parse_json(' ~ name ~ ')' if 'char' in type or type == 'text' else 'to_variant(' ~ name ~ ')') }}
{% endmacro %}

{% macro bigquery__streak_json(name, type) %}
    {{ return('safe.parse_json(' ~ name ~ ')' if type == 'string' else name) }}
{% endmacro %}


{# A text within JSON: streak_json_text('assigned_to', [0, 'userKey']). #}
{% macro streak_json_text(column, path) %}
    {{ return(adapter.dispatch('streak_json_text', 'streak')(column, path)) }}
{% endmacro %}

{# '[0].userKey' #}
{% macro streak_json_path(path) %}
    {%- set steps = [] -%}
    {%- for step in path -%}
        {%- do steps.append('[' ~ step ~ ']' if step is number else ('.' if not loop.first else '') ~ step) -%}
    {%- endfor -%}
    {{ return(steps | join) }}
{% endmacro %}

{% macro default__streak_json_text(column, path) %}
    {%- set dot = '' if path[0] is number else '.' -%}
    {{ return("json_extract_string(" ~ column ~ ", '$" ~ dot ~ streak.streak_json_path(path) ~ "')") }}
{% endmacro %}

{% macro postgres__streak_json_text(column, path) %}
    {{ return("(" ~ column ~ " #>> '{" ~ path | join(',') ~ "}')") }}
{% endmacro %}

{% macro snowflake__streak_json_text(column, path) %}
    {{ return("cast(get_path(" ~ column ~ ", '" ~ streak.streak_json_path(path) ~ "') as varchar)") }}
{% endmacro %}

{% macro bigquery__streak_json_text(column, path) %}
    {%- set dot = '' if path[0] is number else '.' -%}
    {{ return("json_value(" ~ column ~ ", '$" ~ dot ~ streak.streak_json_path(path) ~ "')") }}
{% endmacro %}


{# How many elements a JSON array has; 0 for null and for what is no array. #}
{% macro streak_json_length(column) %}
    {{ return(adapter.dispatch('streak_json_length', 'streak')(column)) }}
{% endmacro %}

{% macro default__streak_json_length(column) %}
    {{ return('coalesce(json_array_length(' ~ column ~ '), 0)') }}
{% endmacro %}

{% macro postgres__streak_json_length(column) %}
    {{ return("case when jsonb_typeof(" ~ column ~ ") = 'array' then jsonb_array_length(" ~ column ~ ") else 0 end") }}
{% endmacro %}

{% macro snowflake__streak_json_length(column) %}
    {{ return('coalesce(array_size(' ~ column ~ '), 0)') }}
{% endmacro %}

{% macro bigquery__streak_json_length(column) %}
    {{ return('coalesce(array_length(json_query_array(' ~ column ~ ')), 0)') }}
{% endmacro %}


{# What stands behind a table in `from`, so that there is a row for each element of one of its JSON arrays:
   <alias>.value is the element, as JSON; streak_place('<alias>') its number. #}
{% macro streak_each(column, alias) %}
    {{ return(adapter.dispatch('streak_each', 'streak')(column, alias)) }}
{% endmacro %}

{% macro default__streak_each(column, alias) %}
    {{ return('cross join lateral json_each(' ~ column ~ ') as ' ~ alias) }}
{% endmacro %}

{% macro postgres__streak_each(column, alias) %}
    {%- set array = "case when jsonb_typeof(" ~ column ~ ") = 'array' then " ~ column ~ " else '[]' end" -%}
    {{ return('cross join lateral jsonb_array_elements(' ~ array ~ ') with ordinality as ' ~ alias ~ '(value, place)') }}
{% endmacro %}

{% macro snowflake__streak_each(column, alias) %}
    {{ return(', lateral flatten(input => ' ~ column ~ ') as ' ~ alias) }}
{% endmacro %}

{% macro bigquery__streak_each(column, alias) %}
    {%- set elements = 'unnest(json_query_array(' ~ column ~ ')) as value with offset as place' -%}
    {{ return('cross join unnest(array(select as struct value, place from ' ~ elements ~ ')) as ' ~ alias) }}
{% endmacro %}

{# The place of an element that streak_each found, counted up from 0. #}
{% macro streak_place(alias) %}
    {%- set column = {'duckdb': 'key', 'snowflake': 'index', 'postgres': 'place - 1'}.get(target.type, 'place') -%}
    {{ return('cast(' ~ alias ~ '.' ~ column ~ ' as ' ~ dbt.type_bigint() ~ ')') }}
{% endmacro %}

{# The text of an element that streak_each found in an array of texts. #}
{% macro streak_element_text(alias) %}
    {{ return(adapter.dispatch('streak_element_text', 'streak')(alias)) }}
{% endmacro %}

{% macro default__streak_element_text(alias) %}{{ return("json_extract_string(" ~ alias ~ ".value, '$')") }}{% endmacro %}
{% macro postgres__streak_element_text(alias) %}{{ return('(' ~ alias ~ ".value #>> '{}')") }}{% endmacro %}
{% macro snowflake__streak_element_text(alias) %}{{ return('cast(' ~ alias ~ '.value as varchar)') }}{% endmacro %}
{% macro bigquery__streak_element_text(alias) %}{{ return('json_value(' ~ alias ~ ".value, '$')") }}{% endmacro %}
