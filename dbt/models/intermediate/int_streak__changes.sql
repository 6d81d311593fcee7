{# Edits of boxes: box_changes where it was loaded, else what the newsfeed still shows. #}
{%- set changes = 'box_changes' if streak.streak_table('box_changes') else 'newsfeed' -%}
-- Edits of boxes, without those events that have a row of their own (comments, tasks, meetings …). One row per event.
-- depends_on: {{ ref('stg_streak__box_changes') }}
-- depends_on: {{ ref('stg_streak__newsfeed') }}
select
    changes.key as change_key,
    changes.box_key,
    changes.creator_key,
    changes.timestamp as changed_at,
    changes.newsfeed_entry_specific as what,
    changes.story_text_box as story
from {{ ref('stg_streak__' ~ changes) }} as changes
inner join {{ ref('stg_streak__boxes') }} as boxes on changes.box_key = boxes.key
where
    changes.newsfeed_entry_specific is null
    or not {{ streak.streak_matches('changes.newsfeed_entry_specific', '(ADD|NEW)_.*|.*_TASK.*') }}
