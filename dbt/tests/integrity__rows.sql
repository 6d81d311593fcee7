-- Each mart has as many rows as its grain promises.
{%- set boxes = streak.streak_enabled('boxes') %}
{{ config(enabled=boxes) }}
{%- set pairs = [('streak__boxes', 'select count(*) from ' ~ ref('stg_streak__boxes'))] %}
{%- if streak.streak_enabled('tasks', ['box_tasks']) %}
    {%- do pairs.append(('streak__tasks', 'select count(*) from ' ~ ref('stg_streak__box_tasks')
        ~ ' as rows_of_it inner join ' ~ ref('stg_streak__boxes') ~ ' as boxes on rows_of_it.box_key = boxes.key')) %}
{%- endif %}
{%- if streak.streak_enabled('email_engagement', ['box_threads']) %}
    {%- do pairs.append(('streak__email_engagement', 'select count(*) from ' ~ ref('stg_streak__box_threads')
        ~ ' as rows_of_it inner join ' ~ ref('stg_streak__boxes') ~ ' as boxes on rows_of_it.box_key = boxes.key')) %}
{%- endif %}
{%- if streak.streak_enabled('contacts', ['box_contacts']) %}
    {%- do pairs.append(('streak__contacts', 'select count(*) from ' ~ ref('stg_streak__contacts'))) %}
{%- endif %}
{%- if streak.streak_enabled('organizations', ['box_organizations']) %}
    {%- do pairs.append(('streak__organizations', 'select count(*) from ' ~ ref('stg_streak__organizations'))) %}
{%- endif %}
{%- if streak.streak_enabled('activities') %}
    {%- for kind, stream in {'comment': 'box_comments', 'file': 'box_files', 'task_created': 'box_tasks'}.items() %}
        {%- do pairs.append((
            '(select * from ' ~ ref('streak__activities') ~ " where kind = '" ~ kind ~ "')",
            'select count(*) from ' ~ ref('stg_streak__' ~ stream) ~ ' as rows_of_it inner join '
            ~ ref('stg_streak__boxes') ~ ' as boxes on rows_of_it.box_key = boxes.key'
        )) %}
    {%- endfor %}
{%- endif %}
{%- if streak.streak_enabled('box_stages') %}
    {%- do pairs.append((
        '(select * from ' ~ ref('streak__box_stages') ~ ' where is_current)',
        'select count(*) from ' ~ ref('stg_streak__boxes') ~ " where stage_key is not null and stage_key <> ''"
    )) %}
{%- endif %}

with counted as (
    {%- for mart, expected in pairs %}
    select
        {{ streak.streak_quoted(mart) }} as mart,
        (select count(*) from {{ mart if 'select' in mart else ref(mart) }} as rows_of_mart) as counted,
        ({{ expected }}) as expected
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select * from counted
where counted <> expected
