{{ config(enabled=streak.streak_enabled('organizations', ['box_organizations'])) }}

with boxes as (
    select
        links.organization_key,
        count(*) as boxes,
        count(case when boxes.status = 'open' then 1 end) as open_boxes,
        count(case when boxes.status = 'won' then 1 end) as won_boxes,
        count(case when boxes.status = 'lost' then 1 end) as lost_boxes,
        coalesce(sum(case when boxes.status = 'open' then boxes.amount end), 0) as open_amount,
        coalesce(sum(case when boxes.status = 'won' then boxes.amount end), 0) as won_amount,
        max(touches.last_touch_at) as last_touch_at
    from {{ ref('stg_streak__box_organizations') }} as links
    inner join {{ ref('int_streak__boxes') }} as boxes on links.box_key = boxes.box_key
    left join {{ ref('int_streak__last_touches') }} as touches on boxes.box_key = touches.box_key
    group by links.organization_key
)

select
    organizations.key as organization_key,
    organizations.team_key,
    coalesce(organizations.name, organizations.key) as organization_name,
    organizations.industry,
    organizations.employee_count,
    {{ streak.streak_json_text('organizations.normalized_domains', [0]) }} as domain,
    organizations.creation_date as created_at,
    coalesce(boxes.boxes, 0) as boxes,
    coalesce(boxes.open_boxes, 0) as open_boxes,
    coalesce(boxes.won_boxes, 0) as won_boxes,
    coalesce(boxes.lost_boxes, 0) as lost_boxes,
    coalesce(boxes.open_amount, 0) as open_amount,
    coalesce(boxes.won_amount, 0) as won_amount,
    boxes.last_touch_at,
    {{ streak.streak_json_length('organizations.contact_links') }} as linked_contacts,
    {{ streak.streak_json_length('organizations.org_links') }} as linked_organizations,
    organizations.custom_fields
from {{ ref('stg_streak__organizations') }} as organizations
left join boxes on organizations.key = boxes.organization_key
