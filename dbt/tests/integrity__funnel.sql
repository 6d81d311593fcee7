-- The funnel has each stage of a pipeline in each month in which the pipeline got boxes, and narrows from stage to stage.
{{ config(enabled=streak.streak_enabled('funnel')) }}

with months as (
    select
        pipeline_key,
        created_month,
        count(*) as stages,
        count(distinct stage_key) as different_stages,
        max(boxes) as boxes,
        min(boxes) as fewest_boxes
    from {{ ref('streak__funnel') }}
    group by pipeline_key, created_month
),

wrong as (
    select pipeline_key, created_month, 'a stage comes twice, or months disagree' as what
    from months
    where stages <> different_stages or boxes <> fewest_boxes
    union all
    select pipeline_key, created_month, 'more than there are'
    from {{ ref('streak__funnel') }}
    where reached > boxes or moved_on > reached or there_now > reached or won + lost > reached or lost_here > lost
)

select * from wrong
