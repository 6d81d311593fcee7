select
    {{ streak_column('boxKey') }} as box_key,
    {{ streak_column('organizationKey') }} as organization_key,
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('isStarred') }} as is_starred,
    {{ streak_column('isAutoboxed') }} as is_autoboxed,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'box_organizations') }}
