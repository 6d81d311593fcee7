{{ config(enabled=streak.streak_enabled('contacts', ['box_contacts'])) }}

with boxes as (
    select
        links.contact_key,
        count(*) as boxes,
        count(case when boxes.status = 'open' then 1 end) as open_boxes,
        count(case when boxes.status = 'won' then 1 end) as won_boxes,
        count(case when boxes.status = 'lost' then 1 end) as lost_boxes,
        coalesce(sum(case when boxes.status = 'open' then boxes.amount end), 0) as open_amount,
        coalesce(sum(case when boxes.status = 'won' then boxes.amount end), 0) as won_amount,
        max(touches.last_touch_at) as last_touch_at
    from {{ ref('stg_streak__box_contacts') }} as links
    inner join {{ ref('int_streak__boxes') }} as boxes on links.box_key = boxes.box_key
    left join {{ ref('int_streak__last_touches') }} as touches on boxes.box_key = touches.box_key
    group by links.contact_key
),

addresses as (
    select distinct contacts.key as contact_key, {{ streak.streak_address(streak.streak_element_text('address')) }} as email
    from {{ ref('stg_streak__contacts') }} as contacts
    {{ streak.streak_each('contacts.email_addresses', 'address') }}
),

emails as (
    select addresses.contact_key, count(*) as emails_received, max(emails.sent_at) as last_email_at
    from addresses
    inner join (
        -- A thread may be in several boxes: its e-mails count once.
        select distinct thread_key, place, sender, sent_at from {{ ref('int_streak__emails') }}
    ) as emails on addresses.email = emails.sender
    group by addresses.contact_key
)

select
    contacts.key as contact_key,
    contacts.team_key,
    coalesce(
        nullif(trim({{ dbt.concat(["coalesce(contacts.given_name, '')", "' '", "coalesce(contacts.family_name, '')"]) }}), ''),
        {{ streak.streak_json_text('contacts.email_addresses', [0]) }},
        contacts.key
    ) as contact_name,
    contacts.given_name,
    contacts.family_name,
    contacts.title,
    {{ streak.streak_address(streak.streak_json_text('contacts.email_addresses', [0])) }} as email,
    contacts.creation_date as created_at,
    coalesce(boxes.boxes, 0) as boxes,
    coalesce(boxes.open_boxes, 0) as open_boxes,
    coalesce(boxes.won_boxes, 0) as won_boxes,
    coalesce(boxes.lost_boxes, 0) as lost_boxes,
    coalesce(boxes.open_amount, 0) as open_amount,
    coalesce(boxes.won_amount, 0) as won_amount,
    boxes.last_touch_at,
    coalesce(emails.emails_received, 0) as emails_received,
    emails.last_email_at,
    {{ streak.streak_json_length('contacts.org_links') }} as linked_organizations,
    {{ streak.streak_json_length('contacts.contact_links') }} as linked_contacts,
    contacts.custom_fields
from {{ ref('stg_streak__contacts') }} as contacts
left join boxes on contacts.key = boxes.contact_key
left join emails on contacts.key = emails.contact_key
