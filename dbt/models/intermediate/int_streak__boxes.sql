-- The boxes with what every mart asks of them: stage, status, money, who has it, when it began and ended.
-- One row per box.
with owners as (
    select box_key, user_key, user_name
    from {{ ref('int_streak__box_assignees') }}
    where place <= 1
),

boxes as (
    select
        boxes.*,
        nullif(boxes.stage_key, '') as current_stage_key,
        coalesce(
            boxes.creation_timestamp, boxes.last_updated_timestamp, boxes.last_saved_timestamp, boxes.read_at
        ) as created_at
    from {{ ref('stg_streak__boxes') }} as boxes
),

entries as (
    -- When each box came into the stage that it is in.
    select
        boxes.key as box_key,
        max(case when history.stage_key = boxes.current_stage_key then history.last_entry_to_stage_ts end) as entered_at
    from boxes
    inner join {{ ref('stg_streak__box_stage_history') }} as history
        on boxes.key = history.box_key and boxes.pipeline_key = history.pipeline_key
    group by boxes.key
)

select
    boxes.key as box_key,
    boxes.name as box_name,
    boxes.pipeline_key,
    coalesce(pipelines.pipeline_name, boxes.pipeline_name) as pipeline_name,
    pipelines.team_key,
    boxes.current_stage_key as stage_key,
    stages.stage_name,
    stages.stage_position,
    coalesce(stages.is_deleted, false) as stage_is_deleted,
    coalesce(stages.stage_status, 'open') as status,
    amounts.amount,
    amounts.amount_text,
    amounts.amount_field,
    coalesce(owners.user_key, 'nobody') as owner_key,
    coalesce(owners.user_name, '(nobody)') as owner_name,
    boxes.creator_key,
    boxes.created_at,
    coalesce(entries.entered_at, boxes.last_stage_change_timestamp, boxes.created_at) as stage_entered_at,
    case
        when stages.stage_status in ('won', 'lost')
            then coalesce(entries.entered_at, boxes.last_stage_change_timestamp, boxes.created_at)
    end as closed_at
from boxes
left join {{ ref('int_streak__pipelines') }} as pipelines on boxes.pipeline_key = pipelines.pipeline_key
left join {{ ref('int_streak__stages') }} as stages
    on boxes.pipeline_key = stages.pipeline_key and boxes.current_stage_key = stages.stage_key
left join entries on boxes.key = entries.box_key
left join {{ ref('int_streak__box_amounts') }} as amounts on boxes.key = amounts.box_key
left join owners on boxes.key = owners.box_key
