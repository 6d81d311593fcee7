-- E-mail threads in boxes that exist. A thread in two boxes has two rows. One row per box and thread.
with emails as (
    select
        emails.*,
        row_number() over (partition by box_key, thread_key order by sent_at desc, place desc) as from_the_last,
        min(case when reply_minutes is not null then sent_at end) over (partition by box_key, thread_key) as first_reply_at
    from {{ ref('int_streak__emails') }} as emails
),

counted as (
    select
        box_key,
        thread_key,
        count(*) as emails,
        count(case when is_ours then 1 end) as emails_sent,
        count(case when not is_ours then 1 end) as emails_received,
        min(sent_at) as first_email_at,
        max(sent_at) as last_email_at,
        max(case when from_the_last = 1 then sender end) as last_sender,
        max(case when from_the_last = 1 then case when is_ours then 'them' else 'us' end end) as waiting_on,
        min(case when sent_at = first_reply_at then reply_minutes end) as first_reply_minutes,
        count(reply_minutes) as replies
    from emails
    group by box_key, thread_key
),

medians as (
    select box_key, thread_key, {{ streak.streak_median('reply_minutes') }} as median_reply_minutes
    from emails
    where reply_minutes is not null
    group by box_key, thread_key
)

select
    threads.box_key,
    threads.key as thread_key,
    threads.subject,
    -- Streak counts the e-mails of a thread even where it does not list them.
    case
        when coalesce(threads.number_of_emails, 0) > coalesce(counted.emails, 0) then threads.number_of_emails
        else coalesce(counted.emails, 0)
    end as emails,
    coalesce(counted.emails_sent, 0) as emails_sent,
    coalesce(counted.emails_received, 0) as emails_received,
    counted.first_email_at,
    counted.last_email_at,
    counted.last_sender,
    counted.waiting_on,
    coalesce(counted.replies, 0) as replies,
    counted.first_reply_minutes,
    medians.median_reply_minutes
from {{ ref('stg_streak__box_threads') }} as threads
inner join {{ ref('stg_streak__boxes') }} as boxes on threads.box_key = boxes.key
left join counted on threads.box_key = counted.box_key and threads.key = counted.thread_key
left join medians on threads.box_key = medians.box_key and threads.key = medians.thread_key
