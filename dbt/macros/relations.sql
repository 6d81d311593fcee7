{# The table that holds a stream; none if it is not there or switched off. #}
{% macro streak_table(stream) %}
    {%- set declared = source('streak', stream) -%}
    {%- if not execute or not streak.streak_use(stream) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- if not streak.streak_setting('streak_introspect') -%}
        {{ return(declared) }}
    {%- endif -%}
    {%- set name = declared.identifier -%}
    {%- for spelled in [name, name | upper, name | lower] -%}
        {%- set found = adapter.get_relation(
            database=declared.database, schema=declared.schema, identifier=spelled
        ) -%}
        {%- if found -%}
            {{ return(found) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}


{# The columns of a table by their names in lower case: {'boxkey': {'name': 'boxKey', 'type': 'VARCHAR'}, …}.
   Without introspection those that are expected, as the destination usually writes them. #}
{% macro streak_columns_of(table, expected={}) %}
    {%- set found = {} -%}
    {%- if table and streak.streak_setting('streak_introspect') -%}
        {%- for column in adapter.get_columns_in_relation(table) -%}
            {%- do found.update({column.name | lower: {'name': column.name, 'type': column.data_type | lower}}) -%}
        {%- endfor -%}
    {%- elif table -%}
        {%- for name, kind in expected.items() -%}
            {%- set spelled = streak.streak_usual_case(name) -%}
            {%- do found.update({name | lower: {'name': spelled, 'type': streak.streak_usual_type(kind)}}) -%}
        {%- endfor -%}
        {#- newsfeed and box_changes are logs: they tell no deletions -#}
        {%- if 'readAt' in expected and 'newsfeedItemKey' not in expected -%}
            {%- set spelled = streak.streak_usual_case('_ab_cdc_deleted_at') -%}
            {%- do found.update({'_ab_cdc_deleted_at': {'name': spelled, 'type': streak.streak_usual_type('time')}}) -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(found) }}
{% endmacro %}


{# A column as Airbyte's destination writes it: Snowflake in upper case, all others as sent. #}
{% macro streak_usual_case(name) %}
    {%- set usual = 'upper' if target.type == 'snowflake' else 'as_sent' -%}
    {%- set case = streak.streak_setting('streak_column_case') or usual -%}
    {{ return(name | upper if case == 'upper' else name | lower if case == 'lower' else name) }}
{% endmacro %}


{# The type that Airbyte's destination gives a column of that kind. #}
{% macro streak_usual_type(kind) %}
    {%- set times = {'snowflake': 'timestamp_tz', 'bigquery': 'timestamp'} -%}
    {%- set objects = {'snowflake': 'variant', 'bigquery': 'json', 'postgres': 'jsonb'} -%}
    {%- if kind == 'time' -%}
        {{ return(times.get(target.type, 'timestamp with time zone')) }}
    {%- elif kind == 'json' -%}
        {{ return(objects.get(target.type, 'json')) }}
    {%- endif -%}
    {{ return(kind) }}
{% endmacro %}


{# The tables of pipelines that are there, boxes_<pipeline>: a list of relations. #}
{% macro streak_pipeline_tables() %}
    {%- set wanted = streak.streak_setting('streak_pipeline_tables') -%}
    {%- set boxes = source('streak', 'boxes') -%}
    {%- set tables = [] -%}
    {%- if execute and streak.streak_setting('streak_introspect') and wanted -%}
        {%- set prefix = streak.streak_setting('streak_prefix') ~ 'boxes_' -%}
        {%- for row in run_query(streak.streak_table_names_sql(boxes)).rows -%}
            {%- set named = row[0] | lower -%}
            {%- set chosen = named.startswith(prefix | lower) if wanted is string else named in wanted | map('lower') | list -%}
            {%- if chosen -%}
                {%- set table = adapter.get_relation(
                    database=boxes.database, schema=boxes.schema, identifier=row[0]
                ) -%}
                {%- if table -%}
                    {%- do tables.append(table) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(tables) }}
{% endmacro %}


{# The names of all tables in the schema of a relation. #}
{% macro streak_table_names_sql(relation) %}
    {{ return(adapter.dispatch('streak_table_names_sql', 'streak')(relation)) }}
{% endmacro %}

{% macro default__streak_table_names_sql(relation) %}
    {%- set sql -%}
select table_name
from information_schema.tables
where
    lower(table_catalog) = lower('{{ relation.database }}')
    and lower(table_schema) = lower('{{ relation.schema }}')
order by table_name
    {%- endset -%}
    {{ return(sql) }}
{% endmacro %}

{% macro snowflake__streak_table_names_sql(relation) %}
    {%- set sql -%}
select table_name
from {{ relation.include(schema=false, identifier=false) }}.information_schema.tables
where lower(table_schema) = lower('{{ relation.schema }}')
order by table_name
    {%- endset -%}
    {{ return(sql) }}
{% endmacro %}

{% macro bigquery__streak_table_names_sql(relation) %}
    {%- set sql -%}
select table_name
from `{{ relation.database }}`.`{{ relation.schema }}`.INFORMATION_SCHEMA.TABLES
order by table_name
    {%- endset -%}
    {{ return(sql) }}
{% endmacro %}
