-- Won, lost and open boxes, and their money, are the same in every mart that counts them.
{{ config(enabled=(
    streak.streak_enabled('boxes')
    and streak.streak_enabled('funnel')
    and streak.streak_enabled('pipeline_velocity')
    and streak.streak_enabled('user_performance')
)) }}

with boxes as (
    select
        count(*) as boxes,
        count(case when status = 'won' then 1 end) as won,
        count(case when status = 'lost' then 1 end) as lost,
        coalesce(sum(case when status = 'won' then amount end), 0) as won_amount
    from {{ ref('streak__boxes') }}
),

funnel as (
    select
        coalesce(sum(there_now), 0) as boxes,
        coalesce(sum(case when stage_status = 'won' then there_now end), 0) as won,
        coalesce(sum(lost_here), 0) as lost,
        coalesce(sum(case when stage_status = 'lost' then there_now end), 0) as in_lost_stages
    from {{ ref('streak__funnel') }}
),

velocity as (
    select
        coalesce(sum(created), 0) as boxes,
        coalesce(sum(won), 0) as won,
        coalesce(sum(lost), 0) as lost,
        coalesce(sum(won_amount), 0) as won_amount
    from {{ ref('streak__pipeline_velocity') }}
),

users as (
    select
        coalesce(sum(boxes), 0) as boxes,
        coalesce(sum(won_boxes), 0) as won,
        coalesce(sum(lost_boxes), 0) as lost,
        coalesce(sum(won_amount), 0) as won_amount,
        coalesce(sum(open_boxes + won_boxes + lost_boxes), 0) as by_status
    from {{ ref('streak__user_performance') }}
)

select *
from boxes
cross join funnel
cross join velocity
cross join users
where
    boxes.boxes <> funnel.boxes or boxes.boxes <> velocity.boxes or boxes.boxes <> users.boxes
    or boxes.boxes <> users.by_status
    or boxes.won <> funnel.won or boxes.won <> velocity.won or boxes.won <> users.won
    or boxes.lost <> funnel.lost or boxes.lost <> velocity.lost or boxes.lost <> users.lost
    or boxes.lost <> funnel.in_lost_stages
    or boxes.won_amount <> velocity.won_amount or boxes.won_amount <> users.won_amount
