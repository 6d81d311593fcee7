select
    {{ streak_column('teamKey') }} as team_key,
    {{ streak_column('appliesTo') }} as applies_to,
    {{ streak_column('key') }} as key,
    {{ streak_column('teamName') }} as team_name,
    {{ streak_column('position') }} as position,
    {{ streak_column('name') }} as name,
    {{ streak_column('type') }} as type,
    {{ streak_column('options') }} as options,
    {{ streak_column('defaultValue') }} as default_value,
    {{ streak_column('lastUpdatedTimestamp') }} as last_updated_timestamp,
    {{ streak_column('lastDefaultValueUpdatedTimestamp') }} as last_default_value_updated_timestamp,
    {{ streak_column('dropdownSettings') }} as dropdown_settings,
    {{ streak_column('tagSettings') }} as tag_settings,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'team_fields') }}
