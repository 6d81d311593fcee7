-- Every stage that is defined, or that a box is or was in: a stage that was deleted has no position.
-- One row per pipeline and stage.
with defined as (
    select pipeline_key, key as stage_key, name as stage_name, position as stage_position
    from {{ ref('stg_streak__pipeline_stages') }}
),

mentioned as (
    select pipeline_key, stage_key, stage_name from {{ ref('stg_streak__boxes') }}
    union all
    select pipeline_key, stage_key, stage_name from {{ ref('stg_streak__box_stage_history') }}
),

not_defined as (
    select mentioned.pipeline_key, mentioned.stage_key, max(mentioned.stage_name) as stage_name
    from mentioned
    left join defined
        on mentioned.pipeline_key = defined.pipeline_key and mentioned.stage_key = defined.stage_key
    where mentioned.stage_key is not null and mentioned.stage_key <> '' and defined.stage_key is null
    group by mentioned.pipeline_key, mentioned.stage_key
),

stages as (
    select pipeline_key, stage_key, stage_name, stage_position, false as is_deleted from defined
    union all
    select pipeline_key, stage_key, coalesce(stage_name, stage_key), null, true from not_defined
),

named as (
    select
        stages.*,
        pipelines.pipeline_name,
        {{ streak.streak_words_of('stages.stage_name') }} as stage_words,
        {{ streak.streak_words_of('pipelines.pipeline_name') }} as pipeline_words
    from stages
    left join {{ ref('int_streak__pipelines') }} as pipelines on stages.pipeline_key = pipelines.pipeline_key
)

select
    pipeline_key,
    pipeline_name,
    stage_key,
    stage_name,
    stage_position,
    is_deleted,
    case
        when {{ streak.streak_stage_in('stage_words', 'pipeline_words', streak.streak_setting('streak_lost_stages')) }}
            then 'lost'
        when {{ streak.streak_stage_in('stage_words', 'pipeline_words', streak.streak_setting('streak_won_stages')) }}
            then 'won'
        else 'open'
    end as stage_status
from named
