-- Contacts with people, until now: e-mails, comments, calls and meetings. One row per touch.
-- Besides the rows of the children there are the box's own stamps, for what was not loaded.
with touches as (
    select box_key, sent_at as touched_at, case when is_ours then 'email_sent' else 'email_received' end as kind, 1 as priority
    from {{ ref('int_streak__emails') }}
    union all
    select box_key, timestamp, 'comment', 1 from {{ ref('stg_streak__box_comments') }}
    union all
    select box_key, start_timestamp, case when meeting_type = 'CALL_LOG' then 'call' else 'meeting' end, 1
    from {{ ref('stg_streak__box_meetings') }}
    {%- for column, kind in {
        'last_email_sent_timestamp': 'email_sent',
        'last_email_received_timestamp': 'email_received',
        'last_comment_timestamp': 'comment',
        'most_recent_call_log_timestamp': 'call',
        'most_recent_meeting_notes_timestamp': 'meeting'
    }.items() %}
    union all
    select key, {{ column }}, '{{ kind }}', 2 from {{ ref('stg_streak__boxes') }}
    {%- endfor %}
)

select box_key, touched_at, kind, priority
from touches
where touched_at <= {{ streak.streak_now() }}
