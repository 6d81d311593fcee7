select
    {{ streak_column('boxKey') }} as box_key,
    {{ streak_column('key') }} as key,
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('creatorKey') }} as creator_key,
    {{ streak_column('commentKey') }} as comment_key,
    {{ streak_column('message') }} as message,
    {{ streak_column('timestamp') }} as timestamp,
    {{ streak_column('lastSavedTimestamp') }} as last_saved_timestamp,
    {{ streak_column('newsfeedEntryKey') }} as newsfeed_entry_key,
    {{ streak_column('mentions') }} as mentions,
    {{ streak_column('parent') }} as parent,
    {{ streak_column('children') }} as children,
    {{ streak_column('reactionSummary') }} as reaction_summary,
    {{ streak_column('readAt') }} as read_at,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'box_comments') }}
