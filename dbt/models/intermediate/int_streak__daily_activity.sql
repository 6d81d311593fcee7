-- What each user did on each day in each pipeline, until now. One row per day, user and pipeline.
with activities as (
    select activities.*, {{ streak.streak_day('happened_at') }} as day
    from {{ ref('int_streak__activities') }} as activities
    where not is_planned and happened_at is not null
)

select
    day,
    user_key,
    pipeline_key,
    count(case when kind = 'box_created' then 1 end) as boxes_created,
    count(case when kind = 'email_sent' then 1 end) as emails_sent,
    count(case when kind = 'email_received' then 1 end) as emails_received,
    count(case when kind = 'comment' then 1 end) as comments,
    count(case when kind = 'call' then 1 end) as calls,
    count(case when kind = 'meeting' then 1 end) as meetings,
    coalesce(sum(case when kind in ('call', 'meeting') then minutes end), 0) as meeting_minutes,
    count(case when kind = 'task_created' then 1 end) as tasks_created,
    count(case when kind = 'task_done' then 1 end) as tasks_done,
    count(case when kind = 'file' then 1 end) as files,
    count(case when kind in ('stage_change', 'change') then 1 end) as changes,
    count(*) as activities
from activities
group by day, user_key, pipeline_key
