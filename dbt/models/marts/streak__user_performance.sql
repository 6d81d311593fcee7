{{ config(enabled=streak.streak_enabled('user_performance')) }}

with boxes as (
    -- A box counts for one user, its owner, so that the sums are those of the pipelines.
    select
        owner_key as user_key,
        count(*) as boxes,
        count(case when status = 'open' then 1 end) as open_boxes,
        count(case when status = 'won' then 1 end) as won_boxes,
        count(case when status = 'lost' then 1 end) as lost_boxes,
        coalesce(sum(case when status = 'open' then amount end), 0) as open_amount,
        coalesce(sum(case when status = 'won' then amount end), 0) as won_amount,
        coalesce(sum(case when status = 'lost' then amount end), 0) as lost_amount
    from {{ ref('int_streak__boxes') }}
    group by owner_key
),

assigned as (
    -- Here a box counts for everybody to whom it is assigned.
    select user_key, count(*) as assigned_boxes
    from {{ ref('int_streak__box_assignees') }}
    group by user_key
),

activity as (
    select
        user_key,
        sum(boxes_created) as boxes_created,
        sum(emails_sent) as emails_sent,
        sum(emails_received) as emails_received,
        sum(comments) as comments,
        sum(calls) as calls,
        sum(meetings) as meetings,
        sum(meeting_minutes) as meeting_minutes,
        sum(tasks_done) as tasks_done,
        sum(activities) as activities,
        max(case when activities > emails_received then day end) as last_active_on
    from {{ ref('int_streak__daily_activity') }}
    group by user_key
),

tasks as (
    select
        assignee_key as user_key,
        count(case when not is_done then 1 end) as open_tasks,
        count(case when is_overdue then 1 end) as overdue_tasks
    from {{ ref('int_streak__tasks') }}
    group by assignee_key
),

replies as (
    select
        user_key,
        count(*) as replies,
        {{ streak.streak_median('reply_minutes') }} as median_reply_minutes
    from {{ ref('int_streak__emails') }}
    where reply_minutes is not null
    group by user_key
),

everybody as (
    select distinct user_key
    from (
        select user_key from {{ ref('int_streak__users') }}
        union all
        select user_key from boxes
        union all
        select user_key from activity
        union all
        select user_key from tasks
    ) as mentioned
)

select
    everybody.user_key,
    coalesce(
        users.user_name, case when everybody.user_key = 'nobody' then '(nobody)' else everybody.user_key end
    ) as user_name,
    users.email,
    users.user_type,
    coalesce(users.has_left, everybody.user_key <> 'nobody') as has_left,
    coalesce(boxes.boxes, 0) as boxes,
    coalesce(boxes.open_boxes, 0) as open_boxes,
    coalesce(boxes.won_boxes, 0) as won_boxes,
    coalesce(boxes.lost_boxes, 0) as lost_boxes,
    coalesce(boxes.open_amount, 0) as open_amount,
    coalesce(boxes.won_amount, 0) as won_amount,
    coalesce(boxes.lost_amount, 0) as lost_amount,
    {{ streak.streak_ratio('boxes.won_boxes', '(boxes.won_boxes + boxes.lost_boxes)') }} as win_rate,
    coalesce(assigned.assigned_boxes, 0) as assigned_boxes,
    coalesce(activity.boxes_created, 0) as boxes_created,
    coalesce(activity.emails_sent, 0) as emails_sent,
    coalesce(activity.emails_received, 0) as emails_received,
    coalesce(activity.comments, 0) as comments,
    coalesce(activity.calls, 0) as calls,
    coalesce(activity.meetings, 0) as meetings,
    coalesce(activity.meeting_minutes, 0) as meeting_minutes,
    coalesce(activity.tasks_done, 0) as tasks_done,
    coalesce(activity.activities, 0) as activities,
    coalesce(tasks.open_tasks, 0) as open_tasks,
    coalesce(tasks.overdue_tasks, 0) as overdue_tasks,
    coalesce(replies.replies, 0) as replies,
    replies.median_reply_minutes,
    activity.last_active_on
from everybody
left join {{ ref('int_streak__users') }} as users on everybody.user_key = users.user_key
left join boxes on everybody.user_key = boxes.user_key
left join assigned on everybody.user_key = assigned.user_key
left join activity on everybody.user_key = activity.user_key
left join tasks on everybody.user_key = tasks.user_key
left join replies on everybody.user_key = replies.user_key
