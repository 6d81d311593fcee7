-- Every pipeline that is defined or has boxes. One row per pipeline.
with defined as (
    select key as pipeline_key, name as pipeline_name, team_key, creation_timestamp as created_at
    from {{ ref('stg_streak__pipelines') }}
),

of_boxes as (
    select pipeline_key, max(pipeline_name) as pipeline_name, min(creation_timestamp) as created_at
    from {{ ref('stg_streak__boxes') }}
    where pipeline_key is not null
    group by pipeline_key
)

select
    coalesce(defined.pipeline_key, of_boxes.pipeline_key) as pipeline_key,
    coalesce(defined.pipeline_name, of_boxes.pipeline_name, of_boxes.pipeline_key) as pipeline_name,
    defined.team_key,
    coalesce(defined.created_at, of_boxes.created_at) as created_at
from defined
full outer join of_boxes on defined.pipeline_key = of_boxes.pipeline_key
