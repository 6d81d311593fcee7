-- Each link between a box and a contact or an organization counts once.
{{ config(enabled=(
    streak.streak_enabled('boxes')
    and streak.streak_enabled('contacts', ['box_contacts'])
    and streak.streak_enabled('organizations', ['box_organizations'])
)) }}

with by_contact as (
    select coalesce(sum(boxes), 0) as links, coalesce(sum(open_boxes + won_boxes + lost_boxes), 0) as by_status
    from {{ ref('streak__contacts') }}
),

by_organization as (
    select coalesce(sum(boxes), 0) as links, coalesce(sum(open_boxes + won_boxes + lost_boxes), 0) as by_status
    from {{ ref('streak__organizations') }}
),

contact_links as (
    select count(*) as links
    from {{ ref('stg_streak__box_contacts') }} as links
    inner join {{ ref('streak__boxes') }} as boxes on links.box_key = boxes.box_key
    inner join {{ ref('stg_streak__contacts') }} as contacts on links.contact_key = contacts.key
),

organization_links as (
    select count(*) as links
    from {{ ref('stg_streak__box_organizations') }} as links
    inner join {{ ref('streak__boxes') }} as boxes on links.box_key = boxes.box_key
    inner join {{ ref('stg_streak__organizations') }} as organizations on links.organization_key = organizations.key
)

select *
from by_contact
cross join by_organization
cross join contact_links
cross join organization_links
where
    by_contact.links <> contact_links.links or by_contact.links <> by_contact.by_status
    or by_organization.links <> organization_links.links or by_organization.links <> by_organization.by_status
