{{ config(enabled=streak.streak_enabled('tasks', ['box_tasks'])) }}

select
    tasks.task_key,
    tasks.box_key,
    boxes.box_name,
    boxes.pipeline_key,
    boxes.pipeline_name,
    boxes.stage_key,
    boxes.stage_name,
    boxes.status as box_status,
    tasks.task_text,
    tasks.assignee_key,
    tasks.assignee_name,
    tasks.assignees,
    tasks.creator_key,
    tasks.created_at,
    tasks.due_at,
    tasks.done_at,
    tasks.is_done,
    tasks.is_overdue,
    case when tasks.is_overdue then {{ streak.streak_days('tasks.due_at', streak.streak_now()) }} end as overdue_days,
    case when tasks.is_done then {{ streak.streak_hours('tasks.created_at', 'tasks.done_at') }} end as hours_to_completion
from {{ ref('int_streak__tasks') }} as tasks
inner join {{ ref('int_streak__boxes') }} as boxes on tasks.box_key = boxes.box_key
