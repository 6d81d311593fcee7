{{ config(enabled=streak.streak_enabled('email_engagement', ['box_threads'])) }}

select
    {{ dbt.concat(['threads.box_key', "'-'", 'threads.thread_key']) }} as box_thread_key,
    threads.box_key,
    boxes.box_name,
    threads.thread_key,
    threads.subject,
    boxes.pipeline_key,
    boxes.pipeline_name,
    boxes.status as box_status,
    boxes.owner_key,
    boxes.owner_name,
    threads.emails,
    threads.emails_sent,
    threads.emails_received,
    threads.first_email_at,
    threads.last_email_at,
    threads.last_sender,
    threads.replies,
    threads.first_reply_minutes,
    threads.median_reply_minutes,
    threads.waiting_on,
    {{ streak.streak_days('threads.last_email_at', streak.streak_now()) }} as waiting_days
from {{ ref('int_streak__threads') }} as threads
inner join {{ ref('int_streak__boxes') }} as boxes on threads.box_key = boxes.box_key
