-- The stages that each box was in, and those that it must have passed. One row per box, stage and visit.
--
-- Streak keeps the last entry to each stage (box_stage_history). Where box_changes was loaded, every move is a visit, and
-- the history adds the stages that the log does not mention. A box that entered a later stage has reached the open
-- stages before it too: such rows are implied and have no times.
--
-- Tables are joined by the box alone, and what belongs to a stage is found by window functions: PostgreSQL, which knows
-- nothing of the size of an intermediate result, otherwise joins 50,000 boxes by their few stages for hours.
with boxes as (
    select * from {{ ref('int_streak__boxes') }}
),

stages as (
    select * from {{ ref('int_streak__stages') }}
),

told as (
    -- The better source has the lower number.
    select
        box_key,
        {{ streak.streak_json_text('specific_variables', ['STAGE_KEY']) }} as stage_key,
        timestamp as entered_at,
        cast(null as {{ streak.streak_type('integer') }}) as time_in_stage_ms,
        1 as source
    from {{ ref('stg_streak__box_changes') }}
    where newsfeed_entry_specific = 'EDIT_STAGE' and timestamp is not null

    union all
    select history.box_key, history.stage_key, coalesce(history.last_entry_to_stage_ts, boxes.created_at), time_in_stage_ms, 2
    from {{ ref('stg_streak__box_stage_history') }} as history
    inner join boxes on history.box_key = boxes.box_key and history.pipeline_key = boxes.pipeline_key

    union all
    select box_key, stage_key, stage_entered_at, null, 3
    from boxes
),

compared as (
    select
        told.*,
        min(source) over (partition by box_key, stage_key) as best_source,
        max(time_in_stage_ms) over (partition by box_key, stage_key) as time_by_streak
    from told
    where stage_key is not null
),

placed as (
    -- A box may have come from another pipeline, whose stages have the same keys: what is not known here is left out.
    select
        compared.box_key,
        boxes.pipeline_key,
        compared.stage_key,
        compared.entered_at,
        compared.time_by_streak,
        boxes.stage_entered_at,
        stages.stage_position,
        coalesce(compared.stage_key = boxes.stage_key, false) as is_current_stage,
        row_number() over (partition by compared.box_key, compared.stage_key order by compared.entered_at) as visit,
        count(*) over (partition by compared.box_key, compared.stage_key) as visits_to_stage,
        max(case when stages.stage_status <> 'lost' then stages.stage_position end)
            over (partition by compared.box_key) as furthest_position
    from compared
    inner join boxes on compared.box_key = boxes.box_key
    inner join stages on boxes.pipeline_key = stages.pipeline_key and compared.stage_key = stages.stage_key
    where compared.source <= compared.best_source
),

ordered as (
    select
        placed.*,
        is_current_stage and visit = visits_to_stage as is_current,
        lead(entered_at) over (
            partition by box_key
            order by
                entered_at,
                case when is_current_stage and visit = visits_to_stage then 1 else 0 end,
                stage_position,
                stage_key
        ) as next_entry
    from placed
),

passed as (
    select boxes.box_key, boxes.pipeline_key, stages.stage_key
    from (select distinct box_key, pipeline_key, furthest_position from placed) as boxes
    inner join stages
        on boxes.pipeline_key = stages.pipeline_key
        and stages.stage_position < boxes.furthest_position
        and stages.stage_status = 'open'
),

visits_and_passed as (
    select
        box_key,
        pipeline_key,
        stage_key,
        visit,
        entered_at,
        case when not is_current then coalesce(next_entry, stage_entered_at) end as left_at,
        time_by_streak,
        is_current,
        0 as implied
    from ordered
    union all
    select
        box_key,
        pipeline_key,
        stage_key,
        1,
        cast(null as {{ streak.streak_type('time') }}),
        cast(null as {{ streak.streak_type('time') }}),
        null,
        false,
        1
    from passed
),

known as (
    select visits_and_passed.*, min(implied) over (partition by box_key, stage_key) as only_implied
    from visits_and_passed
)

select
    box_key,
    pipeline_key,
    stage_key,
    visit,
    entered_at,
    left_at,
    case
        when is_current then {{ streak.streak_days('entered_at', streak.streak_now()) }}
        when implied = 0 then {{ streak.streak_days('entered_at', 'left_at') }}
    end as days,
    {{ streak.streak_ratio('time_by_streak', '86400000') }} as days_by_streak,
    is_current,
    implied = 1 as is_implied
from known
where implied <= only_implied
