select
    {{ streak_column('boxKey') }} as box_key,
    {{ streak_column('contactKey') }} as contact_key,
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('isStarred') }} as is_starred,
    {{ streak_column('isAutoboxed') }} as is_autoboxed,
    {{ streak_column('autoboxerKey') }} as autoboxer_key,
    {{ streak_column('autoboxingTimestamp') }} as autoboxing_timestamp,
    {{ streak_column('autoboxingSource') }} as autoboxing_source,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'box_contacts') }}
