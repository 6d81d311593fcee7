-- The tasks of boxes that exist, with who has to do them and whether they are overdue. One row per task.
with tasks as (
    select
        tasks.*,
        coalesce(
            {{ streak.streak_json_text('tasks.assigned_to', [0, 'userKey']) }},
            {{ streak.streak_json_text('tasks.assigned_to_sharing_entries', [0, 'userKey']) }},
            tasks.creator_key,
            {{ streak.streak_json_text('tasks.creator_sharing_entry', ['userKey']) }}
        ) as assignee_key,
        coalesce(
            {{ streak.streak_json_text('tasks.assigned_to', [0, 'fullName']) }},
            {{ streak.streak_json_text('tasks.assigned_to_sharing_entries', [0, 'fullName']) }}
        ) as assignee_name,
        case
            when {{ streak.streak_json_length('tasks.assigned_to') }} > 0
                then {{ streak.streak_json_length('tasks.assigned_to') }}
            else {{ streak.streak_json_length('tasks.assigned_to_sharing_entries') }}
        end as assignees
    from {{ ref('stg_streak__box_tasks') }} as tasks
)

select
    tasks.key as task_key,
    tasks.box_key,
    tasks.text as task_text,
    coalesce(tasks.assignee_key, 'nobody') as assignee_key,
    coalesce(users.user_name, tasks.assignee_name, '(nobody)') as assignee_name,
    tasks.assignees,
    tasks.creator_key,
    tasks.creation_date as created_at,
    tasks.due_date as due_at,
    case when tasks.status = 'DONE' then tasks.last_status_change_date end as done_at,
    coalesce(tasks.status = 'DONE', false) as is_done,
    coalesce(tasks.status <> 'DONE' and tasks.due_date < {{ streak.streak_now() }}, false) as is_overdue
from tasks
inner join {{ ref('stg_streak__boxes') }} as boxes on tasks.box_key = boxes.key
left join {{ ref('int_streak__users') }} as users on tasks.assignee_key = users.user_key
