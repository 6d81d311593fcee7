{{ config(enabled=streak.streak_enabled('daily_box_history', default=false)) }}
{%- set history_days = streak.streak_setting('streak_history_days') | int %}

with boxes as (
    select
        boxes.*,
        {{ streak.streak_day('created_at') }} as created_on,
        {{ streak.streak_day('coalesce(closed_at, ' ~ streak.streak_now() ~ ')') }} as closed_on,
        {{ streak.streak_day(streak.streak_now()) }} as today
    from {{ ref('int_streak__boxes') }} as boxes
),

spans as (
    -- From its first day to the one on which it was closed, but no more than the last streak_history_days.
    select
        boxes.*,
        greatest(created_on, {{ streak.streak_date_add('day', 0 - history_days, 'today') }}) as from_day,
        greatest(created_on, closed_on) as to_day
    from boxes
),

visits as (
    -- The stage at the end of a day counts. Before the first one that is known, a box was in that.
    select
        box_key,
        stage_key,
        {{ streak.streak_day('entered_at') }} as entered_on,
        lead({{ streak.streak_day('entered_at') }}) over (partition by box_key order by entered_at, case when is_current then 1 else 0 end, stage_key)
            as next_entered_on,
        row_number() over (partition by box_key order by entered_at, case when is_current then 1 else 0 end, stage_key) as place
    from {{ ref('int_streak__box_stages') }}
    where not is_implied
),

stays as (
    select
        spans.box_key,
        visits.stage_key,
        case
            when visits.place > 1 and visits.entered_on > spans.from_day then visits.entered_on
            else spans.from_day
        end as from_day,
        case
            when visits.next_entered_on <= spans.to_day then {{ streak.streak_date_add('day', -1, 'visits.next_entered_on') }}
            else spans.to_day
        end as to_day
    from spans
    left join visits on spans.box_key = visits.box_key
),

numbers as (
    select n
    from (
        {{ streak.streak_numbers(4) | indent(8) }}
    ) as every_number
    where n <= {{ history_days }}
),

days as (
    select
        stays.box_key,
        stays.stage_key,
        {{ streak.streak_date_add('day', 'numbers.n', 'stays.from_day') }} as day
    from stays
    inner join numbers on {{ dbt.datediff('stays.from_day', 'stays.to_day', 'day') }} >= numbers.n
),

touches as (
    select box_key, {{ streak.streak_day('touched_at') }} as day, count(*) as touches
    from {{ ref('int_streak__touches') }}
    where priority = 1
    group by box_key, {{ streak.streak_day('touched_at') }}
)

select
    days.box_key,
    days.day,
    boxes.box_name,
    boxes.pipeline_key,
    boxes.pipeline_name,
    days.stage_key,
    stages.stage_name,
    coalesce(stages.stage_status, 'open') as status,
    boxes.amount,
    boxes.owner_key,
    coalesce(touches.touches, 0) as touches
from days
inner join boxes on days.box_key = boxes.box_key
left join {{ ref('int_streak__stages') }} as stages
    on boxes.pipeline_key = stages.pipeline_key and days.stage_key = stages.stage_key
left join touches on days.box_key = touches.box_key and days.day = touches.day
