select
    {{ streak_column('boxKey') }} as box_key,
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('stageKey') }} as stage_key,
    {{ streak_column('stageName') }} as stage_name,
    {{ streak_column('lastEntryToStageTs') }} as last_entry_to_stage_ts,
    {{ streak_column('timeInStageMs') }} as time_in_stage_ms,
    {{ streak_column('readAt') }} as read_at,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'box_stage_history') }}
