-- Open and overdue tasks are the same by task and by user.
{{ config(enabled=(
    streak.streak_enabled('tasks', ['box_tasks']) and streak.streak_enabled('user_performance')
)) }}

with tasks as (
    select
        count(case when not is_done then 1 end) as open_tasks,
        count(case when is_overdue then 1 end) as overdue_tasks
    from {{ ref('streak__tasks') }}
),

users as (
    select coalesce(sum(open_tasks), 0) as open_tasks, coalesce(sum(overdue_tasks), 0) as overdue_tasks
    from {{ ref('streak__user_performance') }}
)

select *
from tasks
cross join users
where tasks.open_tasks <> users.open_tasks or tasks.overdue_tasks <> users.overdue_tasks
