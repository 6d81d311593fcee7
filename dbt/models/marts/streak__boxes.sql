{{ config(enabled=streak.streak_enabled('boxes')) }}

with boxes as (
    select * from {{ ref('int_streak__boxes') }}
),

source_boxes as (
    select * from {{ ref('stg_streak__boxes') }}
),

assignees as (
    select
        box_key,
        count(*) as assignees,
        {{ dbt.listagg('user_name', "', '", 'order by place') }} as assignee_names
    from {{ ref('int_streak__box_assignees') }}
    group by box_key
),

contacts as (
    select
        links.box_key,
        links.contact_key,
        coalesce(
            nullif(trim({{ dbt.concat(["coalesce(contacts.given_name, '')", "' '", "coalesce(contacts.family_name, '')"]) }}), ''),
            {{ streak.streak_json_text('contacts.email_addresses', [0]) }}
        ) as contact_name,
        row_number() over (
            partition by links.box_key
            order by case when links.is_starred then 0 else 1 end, links.contact_key
        ) as place,
        count(*) over (partition by links.box_key) as contacts
    from {{ ref('stg_streak__box_contacts') }} as links
    left join {{ ref('stg_streak__contacts') }} as contacts on links.contact_key = contacts.key
),

organizations as (
    select
        links.box_key,
        links.organization_key,
        organizations.name as organization_name,
        row_number() over (
            partition by links.box_key
            order by case when links.is_starred then 0 else 1 end, links.organization_key
        ) as place,
        count(*) over (partition by links.box_key) as organizations
    from {{ ref('stg_streak__box_organizations') }} as links
    left join {{ ref('stg_streak__organizations') }} as organizations on links.organization_key = organizations.key
),

comments as (
    select box_key, count(*) as comments from {{ ref('stg_streak__box_comments') }} group by box_key
),

meetings as (
    select
        box_key,
        count(case when meeting_type = 'CALL_LOG' then 1 end) as calls,
        count(case when meeting_type = 'CALL_LOG' then null else 1 end) as meetings
    from {{ ref('stg_streak__box_meetings') }}
    group by box_key
),

files as (
    select box_key, count(*) as files from {{ ref('stg_streak__box_files') }} group by box_key
),

tasks as (
    select
        box_key,
        count(*) as tasks,
        count(case when not is_done then 1 end) as open_tasks,
        count(case when is_overdue then 1 end) as overdue_tasks
    from {{ ref('int_streak__tasks') }}
    group by box_key
),

emails as (
    select
        box_key,
        count(*) as threads,
        sum(emails) as emails,
        sum(emails_sent) as emails_sent,
        sum(emails_received) as emails_received
    from {{ ref('int_streak__threads') }}
    group by box_key
),

facts as (
    select
        boxes.*,
        users.user_name as creator_name,
        source_boxes.notes,
        assignees.assignee_names,
        coalesce(assignees.assignees, 0) as assignees,
        contacts.contact_key as first_contact_key,
        contacts.contact_name as first_contact_name,
        coalesce(contacts.contacts, 0) as contacts,
        organizations.organization_key as first_organization_key,
        organizations.organization_name as first_organization_name,
        coalesce(organizations.organizations, 0) as organizations,
        -- Counted from the rows that were loaded; without them as Streak counts.
        coalesce(comments.comments, source_boxes.comment_count, 0) as comments,
        coalesce(meetings.calls, source_boxes.call_log_count, 0) as calls,
        coalesce(meetings.meetings, source_boxes.meeting_notes_count, 0) as meetings,
        coalesce(emails.threads, source_boxes.gmail_thread_count, 0) as threads,
        coalesce(emails.emails, source_boxes.total_number_of_emails, 0) as emails,
        coalesce(emails.emails_sent, source_boxes.total_number_of_sent_emails, 0) as emails_sent,
        coalesce(emails.emails_received, source_boxes.total_number_of_received_emails, 0) as emails_received,
        coalesce(files.files, source_boxes.file_count, 0) as files,
        coalesce(tasks.tasks, source_boxes.task_total, 0) as tasks,
        coalesce(tasks.open_tasks, source_boxes.task_incomplete_count, 0) as open_tasks,
        coalesce(tasks.overdue_tasks, source_boxes.task_overdue_count, 0) as overdue_tasks,
        touches.last_touch_at,
        touches.last_touch_kind
    from boxes
    inner join source_boxes on boxes.box_key = source_boxes.key
    left join {{ ref('int_streak__users') }} as users on boxes.creator_key = users.user_key
    left join assignees on boxes.box_key = assignees.box_key
    left join contacts on boxes.box_key = contacts.box_key and contacts.place <= 1
    left join organizations on boxes.box_key = organizations.box_key and organizations.place <= 1
    left join comments on boxes.box_key = comments.box_key
    left join meetings on boxes.box_key = meetings.box_key
    left join emails on boxes.box_key = emails.box_key
    left join files on boxes.box_key = files.box_key
    left join tasks on boxes.box_key = tasks.box_key
    left join {{ ref('int_streak__last_touches') }} as touches on boxes.box_key = touches.box_key
),

dated as (
    select
        facts.*,
        {{ streak.streak_days('created_at', 'coalesce(closed_at, ' ~ streak.streak_now() ~ ')') }} as days_open,
        case when closed_at is not null then {{ streak.streak_days('created_at', 'closed_at') }} end as days_to_close,
        {{ streak.streak_days('stage_entered_at', streak.streak_now()) }} as days_in_stage,
        {{ streak.streak_days('last_touch_at', streak.streak_now()) }} as days_since_touch
    from facts
),

final as (
    select
        dated.*,
        -- Open, and for so long nobody wrote, called or moved it.
        coalesce(
            status = 'open'
            and coalesce(days_since_touch, days_open) >= {{ streak.streak_setting('streak_stale_days') }}
            and days_in_stage >= {{ streak.streak_setting('streak_stale_days') }},
            false
        ) as is_stale
    from dated
)

select *
from final
left join {{ ref('int_streak__custom_fields') }} as custom_fields using (box_key)
