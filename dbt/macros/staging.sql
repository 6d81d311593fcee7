{# The view of one stream: names in snake_case, one type for each column in every warehouse, deleted rows left out.

   columns      {name in the stream: text | digits | integer | number | boolean | time | json}
   newest_per   a column of the stream. Of the rows with one value in it only those of the newest reading count: the
                connector delivers all of a box's comments (tasks, files …) together, so what an older reading
                brought and the newest did not is not there any more.

   A stream that was not loaded is a view without rows. A column that is not there is null. Columns are found in
   either case: boxKey as sent, BOXKEY in Snowflake, boxkey where PyAirbyte wrote it. #}
{% macro streak_staging(stream, columns, newest_per=none) %}
    {%- set table = streak.streak_table(stream) -%}
    {%- set found = streak.streak_columns_of(table, columns) -%}
    {%- set deleted_at = found.get('_ab_cdc_deleted_at') -%}
    {%- if newest_per and table -%}
        {%- set box = streak.streak_snake(newest_per) -%}
with present as (
    {{ streak.streak_rows(table, columns, found) | indent(4) }}
),

readings as (
    select
        present.*,
        max(read_at) over (partition by {{ box }}) as newest_reading
    from present
)

select
    {%- for column in columns %}
    {{ streak.streak_snake(column) }}{{ ',' if not loop.last }}
    {%- endfor %}
from readings
where newest_reading is null or read_at >= newest_reading
    {%- else -%}
{{ streak.streak_rows(table, columns, found) }}
    {%- endif -%}
{% endmacro %}


{# All rows of a stream's table but the deleted ones; no row without a table. #}
{% macro streak_rows(table, columns, found) -%}
select
    {%- for column, kind in columns.items() %}
    {{ streak.streak_typed(found.get(column | lower), kind) }} as {{ streak.streak_snake(column) }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    {%- set deleted_at = found.get('_ab_cdc_deleted_at') %}
{%- if table %}
from {{ table }}
    {%- if deleted_at %}
where {{ adapter.quote(deleted_at.name) }} is null
    {%- endif %}
{%- else %}
from (select 1 as nothing) as no_table
where 1 = 0
{%- endif %}
{%- endmacro %}


{# boxKey -> box_key, logoURL -> logo_url, gmailAPIFileId -> gmail_api_file_id #}
{% macro streak_snake(name) %}
    {%- set split = modules.re.sub('([a-z0-9])([A-Z])', '\\1_\\2', name) -%}
    {{ return(modules.re.sub('([A-Z]+)([A-Z][a-z])', '\\1_\\2', split) | lower) }}
{% endmacro %}
