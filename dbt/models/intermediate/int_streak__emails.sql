-- Every e-mail that Streak tells of: who sent it and when; which of ours answer one of theirs, and after how long.
-- A thread without a list of its e-mails has one row, the last. One row per box, thread and e-mail.
with threads as (
    select threads.*
    from {{ ref('stg_streak__box_threads') }} as threads
    inner join {{ ref('stg_streak__boxes') }} as boxes on threads.box_key = boxes.key
),

listed as (
    select
        threads.box_key,
        threads.key as thread_key,
        {{ streak.streak_place('pair') }} as place,
        {{ streak.streak_json_text('pair.value', ['email']) }} as sender,
        {{ streak.streak_utc(streak.streak_json_text('pair.value', ['sendTimestamp']), 'string') }} as sent_at
    from threads
    {{ streak.streak_each('threads.sender_email_send_timestamp_pairs', 'pair') }}
),

last_ones as (
    select
        threads.box_key,
        threads.key as thread_key,
        0 as place,
        threads.last_email_from as sender,
        threads.last_email_timestamp as sent_at
    from threads
    left join (select distinct box_key, thread_key from listed) as known
        on threads.box_key = known.box_key and threads.key = known.thread_key
    where known.thread_key is null and threads.last_email_timestamp is not null
),

emails as (
    select box_key, thread_key, place, {{ streak.streak_address('sender') }} as sender, sent_at
    from listed
    where sent_at is not null
    union all
    select box_key, thread_key, place, {{ streak.streak_address('sender') }}, sent_at
    from last_ones
),

addresses as (
    select email, min(user_key) as user_key
    from {{ ref('int_streak__users') }}
    where email is not null
    group by email
),

known as (
    select
        emails.*,
        addresses.user_key,
        addresses.user_key is not null or domains.domain is not null as is_ours
    from emails
    left join addresses on emails.sender = addresses.email
    left join {{ ref('int_streak__own_domains') }} as domains
        on {{ dbt.split_part('emails.sender', "'@'", 2) }} = domains.domain
),

turns as (
    -- Between two e-mails of ours lie those of theirs that the second one answers.
    select
        known.*,
        coalesce(sum(case when is_ours then 1 else 0 end) over (
            partition by box_key, thread_key order by sent_at, place
            rows between unbounded preceding and 1 preceding
        ), 0) as turn
    from known
),

asked as (
    select
        turns.*,
        min(case when not is_ours then sent_at end) over (partition by box_key, thread_key, turn) as asked_at
    from turns
)

select
    box_key,
    thread_key,
    place,
    sender,
    sent_at,
    is_ours,
    user_key,
    case when is_ours then {{ streak.streak_minutes('asked_at', 'sent_at') }} end as reply_minutes
from asked
