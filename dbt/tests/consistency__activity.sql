-- The days and the users add up to the events.
{{ config(enabled=(
    streak.streak_enabled('activities')
    and streak.streak_enabled('daily_activity')
    and streak.streak_enabled('user_performance')
)) }}

with events as (
    select
        count(*) as activities,
        count(case when kind = 'email_sent' then 1 end) as emails_sent,
        count(case when kind = 'comment' then 1 end) as comments,
        count(case when kind = 'task_done' then 1 end) as tasks_done
    from {{ ref('streak__activities') }}
    where not is_planned and happened_at is not null
),

days as (
    select
        coalesce(sum(activities), 0) as activities,
        coalesce(sum(emails_sent), 0) as emails_sent,
        coalesce(sum(comments), 0) as comments,
        coalesce(sum(tasks_done), 0) as tasks_done
    from {{ ref('streak__daily_activity') }}
),

users as (
    select
        coalesce(sum(activities), 0) as activities,
        coalesce(sum(emails_sent), 0) as emails_sent,
        coalesce(sum(comments), 0) as comments,
        coalesce(sum(tasks_done), 0) as tasks_done
    from {{ ref('streak__user_performance') }}
)

select *
from events
cross join days
cross join users
where
    events.activities <> days.activities or events.activities <> users.activities
    or events.emails_sent <> days.emails_sent or events.emails_sent <> users.emails_sent
    or events.comments <> days.comments or events.comments <> users.comments
    or events.tasks_done <> days.tasks_done or events.tasks_done <> users.tasks_done
