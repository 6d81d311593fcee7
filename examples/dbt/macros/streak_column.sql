{# A column of a source, quoted, for its case matters in some warehouses. Airbyte's destinations keep the connector's boxKey, or write
   BOXKEY (Snowflake) or boxkey (Redshift; PyAirbyte everywhere). The variable streak_column_case says it: as_sent, upper or lower. #}
{% macro streak_column(name) -%}
    {%- set usual = {'snowflake': 'upper', 'redshift': 'lower'}.get(target.type, 'as_sent') -%}
    {%- set case = var('streak_column_case', none) or usual -%}
    {{ adapter.quote(name | upper if case == 'upper' else name | lower if case == 'lower' else name) }}
{%- endmacro %}
