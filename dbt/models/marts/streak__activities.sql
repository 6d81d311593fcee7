{{ config(enabled=streak.streak_enabled('activities')) }}

select
    activities.activity_key,
    activities.box_key,
    boxes.box_name,
    activities.pipeline_key,
    boxes.pipeline_name,
    activities.kind,
    activities.user_key,
    coalesce(users.user_name, case when activities.user_key = 'nobody' then '(nobody)' else activities.user_key end) as user_name,
    activities.happened_at,
    activities.is_planned,
    activities.summary,
    activities.minutes
from {{ ref('int_streak__activities') }} as activities
inner join {{ ref('int_streak__boxes') }} as boxes on activities.box_key = boxes.box_key
left join {{ ref('int_streak__users') }} as users on activities.user_key = users.user_key
