select
    {{ streak_column('boxKey') }} as box_key,
    {{ streak_column('userKey') }} as user_key,
    {{ streak_column('role') }} as role,
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('displayName') }} as display_name,
    {{ streak_column('fullName') }} as full_name,
    {{ streak_column('email') }} as email,
    {{ streak_column('image') }} as image,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'box_users') }}
