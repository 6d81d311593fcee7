-- Who is assigned to a box, in a fixed order: who created it comes first, then by address. One row per box and assignee.
select
    assigned.box_key,
    assigned.user_key,
    users.user_name,
    row_number() over (
        partition by assigned.box_key
        order by
            case when assigned.user_key = boxes.creator_key then 0 else 1 end,
            users.email,
            assigned.user_key
    ) as place
from {{ ref('stg_streak__box_users') }} as assigned
inner join {{ ref('stg_streak__boxes') }} as boxes
    on assigned.box_key = boxes.key and assigned.pipeline_key = boxes.pipeline_key
left join {{ ref('int_streak__users') }} as users on assigned.user_key = users.user_key
where assigned.role = 'assignee'
