select
    {{ streak_column('teamKey') }} as team_key,
    {{ streak_column('userKey') }} as user_key,
    {{ streak_column('teamName') }} as team_name,
    {{ streak_column('role') }} as role,
    {{ streak_column('inviteDate') }} as invite_date,
    {{ streak_column('inviteStatus') }} as invite_status,
    {{ streak_column('emailSharing') }} as email_sharing,
    {{ streak_column('displayName') }} as display_name,
    {{ streak_column('email') }} as email,
    {{ streak_column('fullName') }} as full_name,
    {{ streak_column('givenName') }} as given_name,
    {{ streak_column('image') }} as image,
    {{ streak_column('userType') }} as user_type,
    {{ streak_column('orgKey') }} as org_key,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'team_members') }}
