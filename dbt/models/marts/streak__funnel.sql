{{ config(enabled=streak.streak_enabled('funnel')) }}

with boxes as (
    select
        boxes.*,
        coalesce(boxes.stage_key, '(none)') as stage_here,
        {{ streak.streak_month('created_at') }} as created_month
    from {{ ref('int_streak__boxes') }} as boxes
),

visits as (
    select visits.*, stages.stage_position, stages.stage_status
    from {{ ref('int_streak__box_stages') }} as visits
    left join {{ ref('int_streak__stages') }} as stages
        on visits.pipeline_key = stages.pipeline_key and visits.stage_key = stages.stage_key
),

last_open as (
    -- How far a box got before it was lost: the furthest stage that is not a lost one, by the order of now.
    select
        box_key,
        stage_key,
        stage_position,
        max(entered_at) over (partition by box_key) as last_entered_at,
        row_number() over (
            partition by box_key
            order by
                case when stage_position is null then 1 else 0 end,
                stage_position desc,
                case when entered_at is null then 1 else 0 end,
                entered_at desc,
                stage_key
        ) as place
    from visits
    where stage_status <> 'lost'
),

reached as (
    select
        boxes.box_key,
        boxes.pipeline_key,
        boxes.created_month,
        boxes.status,
        boxes.stage_here,
        visits.stage_key,
        boxes.stage_here = visits.stage_key as is_here,
        coalesce(last_open.stage_key, boxes.stage_here) as furthest_stage_key,
        coalesce(max(visits.stage_position) < max(last_open.stage_position), false)
        or coalesce(
            max(visits.stage_position) is null and max(visits.entered_at) < max(last_open.last_entered_at), false
        ) as moved_on,
        sum(case when visits.left_at is not null then visits.days end) as days_until_left
    from boxes
    inner join visits on boxes.box_key = visits.box_key
    left join last_open on boxes.box_key = last_open.box_key and last_open.place <= 1
    group by
        boxes.box_key, boxes.pipeline_key, boxes.created_month, boxes.status, boxes.stage_here, visits.stage_key,
        coalesce(last_open.stage_key, boxes.stage_here)

    union all
    -- Boxes in no stage.
    select
        box_key, pipeline_key, created_month, status, stage_here, stage_here, true, stage_here, false,
        cast(null as {{ streak.streak_type('number') }})
    from boxes
    where stage_key is null
),

counted as (
    select
        pipeline_key,
        created_month,
        stage_key,
        count(*) as reached,
        count(case when is_here then 1 end) as there_now,
        count(case when moved_on then 1 end) as moved_on,
        count(case when status = 'won' then 1 end) as won,
        count(case when status = 'lost' then 1 end) as lost,
        count(case when status = 'lost' and furthest_stage_key = stage_key then 1 end) as lost_here
    from reached
    group by pipeline_key, created_month, stage_key
),

medians as (
    select pipeline_key, created_month, stage_key, {{ streak.streak_median('days_until_left') }} as median_days
    from reached
    where days_until_left is not null
    group by pipeline_key, created_month, stage_key
),

months as (
    select pipeline_key, created_month, count(*) as boxes
    from boxes
    group by pipeline_key, created_month
),

stages as (
    select pipeline_key, stage_key, stage_name, stage_position, stage_status, is_deleted
    from {{ ref('int_streak__stages') }}
    union all
    select pipeline_key, '(none)', '(no stage)', null, 'open', false
    from boxes
    where stage_key is null
    group by pipeline_key
)

select
    months.pipeline_key,
    pipelines.pipeline_name,
    stages.stage_key,
    stages.stage_name,
    stages.stage_position,
    stages.stage_status,
    stages.is_deleted as stage_is_deleted,
    months.created_month,
    months.boxes,
    coalesce(counted.reached, 0) as reached,
    coalesce(counted.there_now, 0) as there_now,
    coalesce(counted.moved_on, 0) as moved_on,
    coalesce(counted.won, 0) as won,
    coalesce(counted.lost, 0) as lost,
    coalesce(counted.lost_here, 0) as lost_here,
    case when stages.stage_status = 'open' then {{ streak.streak_ratio('counted.moved_on', 'counted.reached') }} end as conversion_to_next,
    {{ streak.streak_ratio('counted.won', 'counted.reached') }} as conversion_to_won,
    medians.median_days
from months
inner join {{ ref('int_streak__pipelines') }} as pipelines on months.pipeline_key = pipelines.pipeline_key
inner join stages on months.pipeline_key = stages.pipeline_key
left join counted
    on months.pipeline_key = counted.pipeline_key
    and months.created_month = counted.created_month
    and stages.stage_key = counted.stage_key
left join medians
    on months.pipeline_key = medians.pipeline_key
    and months.created_month = medians.created_month
    and stages.stage_key = medians.stage_key
