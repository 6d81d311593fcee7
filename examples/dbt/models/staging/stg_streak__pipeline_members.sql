select
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('userKey') }} as user_key,
    {{ streak_column('pipelineName') }} as pipeline_name,
    {{ streak_column('email') }} as email,
    {{ streak_column('fullName') }} as full_name,
    {{ streak_column('displayName') }} as display_name,
    {{ streak_column('givenName') }} as given_name,
    {{ streak_column('isOwner') }} as is_owner,
    {{ streak_column('image') }} as image,
    {{ streak_column('permissionSetName') }} as permission_set_name,
    {{ streak_column('userType') }} as user_type,
    {{ streak_column('isReadOnly') }} as is_read_only,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'pipeline_members') }}
