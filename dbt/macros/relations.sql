{# The table that holds a stream; none if it is not there or switched off. #}
{% macro streak_table(stream) %}
    {%- set declared = source('streak', stream) -%}
    {%- if not execute or not streak.streak_reads(stream) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- if not streak.streak_setting('streak_introspect') -%}
        {{ return(declared) }}
    {%- endif -%}
    {%- set name = declared.identifier -%}
    {%- set found = streak.streak_tables_like(declared, name) -%}
    {%- for table in found if table.identifier == name -%}
        {{ return(table) }}
    {%- endfor -%}
    {%- for table in found if table.identifier | lower == name | lower -%}
        {{ return(table) }}
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
        {%- for table in streak.streak_tables_like(boxes, prefix ~ '%') -%}
            {%- set name = table.identifier | lower -%}
            {%- if name.startswith(prefix | lower) and (wanted is string or name in wanted | map('lower') | list) -%}
                {%- do tables.append(table) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(tables) }}
{% endmacro %}


{# The tables in the schema of a relation whose names are like this in any case, spelled as they are. Asked of the
   database, for dbt's own get_relation fails where a name is another in upper case. #}
{% macro streak_tables_like(relation, name) %}
    {%- set condition = "lower(table_name) like lower(" ~ streak.streak_quoted(name) ~ ")" -%}
    {%- set found = [] -%}
    {%- for row in run_query(streak.streak_tables_sql(relation, condition)).rows -%}
        {%- do found.append(api.Relation.create(
            database=row[0], schema=row[1], identifier=row[2],
            quote_policy={'database': true, 'schema': true, 'identifier': true}
        )) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{% macro streak_tables_sql(relation, condition) %}
    {{ return(adapter.dispatch('streak_tables_sql', 'streak')(relation, condition)) }}
{% endmacro %}

{% macro default__streak_tables_sql(relation, condition) %}
    {%- set sql -%}
select table_catalog, table_schema, table_name
from information_schema.tables
where
    lower(table_catalog) = lower({{ streak.streak_quoted(relation.database) }})
    and lower(table_schema) = lower({{ streak.streak_quoted(relation.schema) }})
    and {{ condition }}
order by table_schema, table_name
    {%- endset -%}
    {{ return(sql) }}
{% endmacro %}

{% macro snowflake__streak_tables_sql(relation, condition) %}
    {%- set sql -%}
select table_catalog, table_schema, table_name
from {{ relation.include(schema=false, identifier=false) }}.information_schema.tables
where lower(table_schema) = lower({{ streak.streak_quoted(relation.schema) }}) and {{ condition }}
order by table_schema, table_name
    {%- endset -%}
    {{ return(sql) }}
{% endmacro %}

{% macro bigquery__streak_tables_sql(relation, condition) %}
    {%- set sql -%}
select table_catalog, table_schema, table_name
from `{{ relation.database }}`.`{{ relation.schema }}`.INFORMATION_SCHEMA.TABLES
where {{ condition }}
order by table_name
    {%- endset -%}
    {{ return(sql) }}
{% endmacro %}


{# What a mart's transaction begins with. PostgreSQL knows nothing of tables that were loaded a moment ago, takes them
   for small, and loops for minutes over what it can hash in a second. #}
{% macro streak_before_a_mart() %}
    {{ return('set local enable_nestloop = off' if target.type == 'postgres' else '') }}
{% endmacro %}
