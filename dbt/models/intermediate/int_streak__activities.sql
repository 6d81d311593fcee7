-- Everything that happened in boxes that exist, in one list. One row per event.
with boxes as (
    select box_key, pipeline_key, owner_key, creator_key, created_at, box_name from {{ ref('int_streak__boxes') }}
),

events as (
    select
        {{ dbt.concat(["'box-'", 'box_key']) }} as activity_key,
        box_key,
        'box_created' as kind,
        creator_key as user_key,
        created_at as happened_at,
        cast(box_name as {{ streak.streak_type('text') }}) as summary,
        cast(null as {{ streak.streak_type('number') }}) as minutes
    from boxes

    union all
    select
        {{ dbt.concat(["'comment-'", 'box_key', "'-'", 'key']) }}, box_key, 'comment', creator_key, timestamp, message, null
    from {{ ref('stg_streak__box_comments') }}

    union all
    select
        {{ dbt.concat(["'meeting-'", 'box_key', "'-'", 'key']) }},
        box_key,
        case when meeting_type = 'CALL_LOG' then 'call' else 'meeting' end,
        creator_key,
        start_timestamp,
        notes,
        {{ streak.streak_ratio('coalesce(duration, 0)', '60000') }}
    from {{ ref('stg_streak__box_meetings') }}

    union all
    select
        {{ dbt.concat(["'file-'", 'box_key', "'-'", 'key']) }}, box_key, 'file', file_owner, creation_timestamp, file_name, null
    from {{ ref('stg_streak__box_files') }}

    union all
    select
        {{ dbt.concat(["'email-'", 'emails.box_key', "'-'", 'emails.thread_key', "'-'",
            'cast(emails.place as ' ~ streak.streak_type('text') ~ ')']) }},
        emails.box_key,
        case when emails.is_ours then 'email_sent' else 'email_received' end,
        -- Of an e-mail that came in, Streak does not say to whom: it counts for who has the box.
        case when emails.is_ours then emails.user_key else boxes.owner_key end,
        emails.sent_at,
        threads.subject,
        null
    from {{ ref('int_streak__emails') }} as emails
    inner join boxes on emails.box_key = boxes.box_key
    inner join {{ ref('stg_streak__box_threads') }} as threads
        on emails.box_key = threads.box_key and emails.thread_key = threads.key

    union all
    select
        {{ dbt.concat(["'task-'", 'box_key', "'-'", 'task_key']) }}, box_key, 'task_created', creator_key, created_at, task_text, null
    from {{ ref('int_streak__tasks') }}

    union all
    select
        {{ dbt.concat(["'done-'", 'box_key', "'-'", 'task_key']) }}, box_key, 'task_done', assignee_key, done_at, task_text, null
    from {{ ref('int_streak__tasks') }}
    where is_done

    union all
    select
        {{ dbt.concat(["'change-'", 'box_key', "'-'", 'change_key']) }},
        box_key,
        case when what = 'EDIT_STAGE' then 'stage_change' else 'change' end,
        creator_key,
        changed_at,
        story,
        null
    from {{ ref('int_streak__changes') }}
)

select
    events.activity_key,
    events.box_key,
    boxes.pipeline_key,
    events.kind,
    coalesce(events.user_key, 'nobody') as user_key,
    events.happened_at,
    coalesce(events.happened_at > {{ streak.streak_now() }}, false) as is_planned,
    events.summary,
    events.minutes
from events
inner join boxes on events.box_key = boxes.box_key
