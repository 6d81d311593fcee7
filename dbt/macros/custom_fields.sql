{# The custom fields of all boxes side by side, from the tables boxes_<pipeline> that were loaded: box_key, and a column
   field_<name> for each custom field. Fields of one name in several pipelines share a column; where their types differ
   it is text. The variable streak_custom_fields says which: 'all', or a list of names as the tables have them. #}
{% macro streak_custom_fields() %}
    {%- set wanted = streak.streak_setting('streak_custom_fields') -%}
    {%- set types, tables = {}, [] -%}
    {%- for table in streak.streak_pipeline_tables() if wanted -%}
        {%- set found = streak.streak_columns_of(table) -%}
        {%- set custom = streak.streak_only_custom(found, wanted) -%}
        {%- if 'box_key' in found -%}
            {%- do tables.append({'relation': table, 'found': found, 'custom': custom}) -%}
            {%- for name, column in custom.items() -%}
                {%- set same = types.get(name, column.type) == column.type -%}
                {%- do types.update({name: column.type if same else 'mixed'}) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not tables -%}
select cast(null as {{ streak.streak_type('text') }}) as box_key
from (select 1 as nothing) as no_table
where 1 = 0
    {%- endif -%}
    {%- for table in tables -%}
{{ '\n\nunion all\n\n' if not loop.first }}select
    {{ streak.streak_typed(table.found['box_key'], 'text') }} as box_key
        {%- for name, type in types.items() %},
    {{ streak.streak_custom_field(table.custom.get(name), type) }} as field_{{ name }}
        {%- endfor %}
from {{ table.relation }}
        {%- if '_ab_cdc_deleted_at' in table.found %}
where {{ adapter.quote(table.found['_ab_cdc_deleted_at'].name) }} is null
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{# One custom field in the type that it has in all tables. #}
{% macro streak_custom_field(column, type) %}
    {%- set common = streak.streak_type('text') if type == 'mixed' else type -%}
    {%- if 'timestamp' in common and column -%}
        {{ return(streak.streak_utc(adapter.quote(column.name), column.type)) }}
    {%- elif 'timestamp' in common -%}
        {{ return('cast(null as ' ~ streak.streak_type('time') ~ ')') }}
    {%- elif column and type != 'mixed' -%}
        {{ return(adapter.quote(column.name)) }}
    {%- endif -%}
    {{ return('cast(' ~ (adapter.quote(column.name) if column else 'null') ~ ' as ' ~ common ~ ')') }}
{% endmacro %}


{# Of a pipeline's table the columns of custom fields: what is neither the connector's own nor Airbyte's. #}
{% macro streak_only_custom(found, wanted) %}
    {%- set own = [
        'box_key', 'name', 'stage', 'stage_key', 'notes', 'assigned_to_emails', 'creator_email', 'follower_emails',
        'contact_keys', 'organization_keys', 'created', 'updated', 'stage_changed', 'last_email_sent',
        'last_email_received', 'comment_count', 'task_total', 'task_complete_count', 'task_incomplete_count',
        'task_overdue_count', 'task_percentage_complete', 'call_log_count', 'meeting_notes_count',
        'total_call_log_duration', 'total_meeting_notes_duration', 'gmail_thread_count', 'file_count',
        'follower_count', 'total_number_of_emails', 'total_number_of_sent_emails',
        'total_number_of_received_emails', 'total_number_of_sent_emails_views',
        'total_number_of_last_sent_email_views', 'total_number_of_last_sent_email_links_clicks',
        'read_at', 'other_properties'
    ] -%}
    {%- set custom = {} -%}
    {%- for name, column in found.items() -%}
        {%- set airbyte = name.startswith('_airbyte') or name.startswith('_ab_') -%}
        {%- set chosen = wanted is string or name in wanted | map('lower') | list -%}
        {%- if name not in own and not airbyte and chosen -%}
            {%- do custom.update({name: column}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(custom) }}
{% endmacro %}
