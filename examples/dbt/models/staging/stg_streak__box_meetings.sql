select
    {{ streak_column('boxKey') }} as box_key,
    {{ streak_column('key') }} as key,
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('creatorKey') }} as creator_key,
    {{ streak_column('meetingType') }} as meeting_type,
    {{ streak_column('startTimestamp') }} as start_timestamp,
    {{ streak_column('duration') }} as duration,
    {{ streak_column('notes') }} as notes,
    {{ streak_column('creationDate') }} as creation_date,
    {{ streak_column('lastSavedTimestamp') }} as last_saved_timestamp,
    {{ streak_column('taskKeys') }} as task_keys,
    {{ streak_column('isDraft') }} as is_draft,
    {{ streak_column('readAt') }} as read_at,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'box_meetings') }}
