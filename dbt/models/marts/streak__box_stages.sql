{{ config(enabled=streak.streak_enabled('box_stages')) }}

select
    {{ dbt.concat(['visits.box_key', "'-'", 'visits.stage_key', "'-'", 'cast(visits.visit as ' ~ dbt.type_string() ~ ')']) }}
        as box_stage_key,
    visits.box_key,
    boxes.box_name,
    visits.pipeline_key,
    boxes.pipeline_name,
    visits.stage_key,
    stages.stage_name,
    stages.stage_position,
    stages.stage_status,
    visits.visit,
    visits.entered_at,
    visits.left_at,
    visits.days,
    -- As Streak counts it: all visits together, as of the last sync.
    visits.days_by_streak,
    visits.is_current,
    visits.is_implied,
    boxes.status as box_status,
    boxes.owner_key,
    boxes.owner_name
from {{ ref('int_streak__box_stages') }} as visits
inner join {{ ref('int_streak__boxes') }} as boxes on visits.box_key = boxes.box_key
left join {{ ref('int_streak__stages') }} as stages
    on visits.pipeline_key = stages.pipeline_key and visits.stage_key = stages.stage_key
