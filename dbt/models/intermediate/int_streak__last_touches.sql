-- The last touch of each box that has one. One row per box.
with ranked as (
    select
        box_key,
        touched_at,
        kind,
        row_number() over (partition by box_key order by touched_at desc, priority, kind) as place
    from {{ ref('int_streak__touches') }}
)

select box_key, touched_at as last_touch_at, kind as last_touch_kind
from ranked
where place <= 1
