-- Everybody who has a user: of the teams, and those who are in no team any more but still stand in boxes.
-- One row per user.
with members as (
    -- Who is only an archive in every team has left.
    select
        user_key,
        max(coalesce(full_name, display_name)) as user_name,
        max(email) as email,
        max(user_type) as user_type,
        min(case when role = 'ArchiveOnly' then 1 else 0 end) as is_archived
    from {{ ref('stg_streak__team_members') }}
    group by user_key
),

known as (
    select key as user_key, display_name as user_name, email, user_type, 1 as priority from {{ ref('stg_streak__users') }}
    union all
    select user_key, user_name, email, user_type, 2 from members
    union all
    select user_key, max(coalesce(full_name, display_name)), max(email), null, 3
    from {{ ref('stg_streak__box_users') }}
    group by user_key
),

ranked as (
    select
        user_key,
        first_value(user_name) over (
            partition by user_key order by case when user_name is null then 1 else 0 end, priority
            rows between unbounded preceding and unbounded following
        ) as user_name,
        first_value(email) over (
            partition by user_key order by case when email is null then 1 else 0 end, priority
            rows between unbounded preceding and unbounded following
        ) as email,
        first_value(user_type) over (
            partition by user_key order by case when user_type is null then 1 else 0 end, priority
            rows between unbounded preceding and unbounded following
        ) as user_type,
        min(priority) over (partition by user_key) as found_in,
        row_number() over (partition by user_key order by priority) as place
    from known
    where user_key is not null
)

select
    ranked.user_key,
    coalesce(ranked.user_name, ranked.email, ranked.user_key) as user_name,
    {{ streak.streak_address('ranked.email') }} as email,
    ranked.user_type,
    ranked.found_in = 3 or coalesce(members.is_archived, 0) = 1 as has_left
from ranked
left join members on ranked.user_key = members.user_key
where ranked.place <= 1
