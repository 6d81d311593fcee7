-- What a box counts is what was loaded of it. A box of which no row was loaded says what Streak counts.
{{ config(enabled=streak.streak_enabled('boxes')) }}

with loaded as (
    {%- for kind, model, condition in [
        ('comments', ref('stg_streak__box_comments'), '1 = 1'),
        ('calls', ref('stg_streak__box_meetings'), "meeting_type = 'CALL_LOG'"),
        ('files', ref('stg_streak__box_files'), '1 = 1'),
        ('threads', ref('stg_streak__box_threads'), '1 = 1'),
        ('tasks', ref('stg_streak__box_tasks'), '1 = 1'),
        ('open_tasks', ref('stg_streak__box_tasks'), "coalesce(status, '') <> 'DONE'")
    ] %}
    select box_key, '{{ kind }}' as kind, count(case when {{ condition }} then 1 end) as counted
    from {{ model }}
    group by box_key
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select boxes.box_key, loaded.kind, loaded.counted
from {{ ref('streak__boxes') }} as boxes
inner join loaded on boxes.box_key = loaded.box_key
where
    loaded.counted <> case loaded.kind
        when 'comments' then boxes.comments
        when 'calls' then boxes.calls
        when 'files' then boxes.files
        when 'threads' then boxes.threads
        when 'tasks' then boxes.tasks
        else boxes.open_tasks
    end
