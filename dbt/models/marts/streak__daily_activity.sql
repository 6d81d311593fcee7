{{ config(enabled=streak.streak_enabled('daily_activity')) }}

select
    activity.day,
    activity.user_key,
    coalesce(users.user_name, case when activity.user_key = 'nobody' then '(nobody)' else activity.user_key end) as user_name,
    activity.pipeline_key,
    pipelines.pipeline_name,
    activity.boxes_created,
    activity.emails_sent,
    activity.emails_received,
    activity.comments,
    activity.calls,
    activity.meetings,
    activity.meeting_minutes,
    activity.tasks_created,
    activity.tasks_done,
    activity.files,
    activity.changes,
    activity.activities
from {{ ref('int_streak__daily_activity') }} as activity
left join {{ ref('int_streak__users') }} as users on activity.user_key = users.user_key
left join {{ ref('int_streak__pipelines') }} as pipelines on activity.pipeline_key = pipelines.pipeline_key
