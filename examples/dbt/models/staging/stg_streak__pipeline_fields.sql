select
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('key') }} as key,
    {{ streak_column('pipelineName') }} as pipeline_name,
    {{ streak_column('position') }} as position,
    {{ streak_column('name') }} as name,
    {{ streak_column('type') }} as type,
    {{ streak_column('options') }} as options,
    {{ streak_column('defaultValue') }} as default_value,
    {{ streak_column('lastUpdatedTimestamp') }} as last_updated_timestamp,
    {{ streak_column('lastDefaultValueUpdatedTimestamp') }} as last_default_value_updated_timestamp,
    {{ streak_column('dropdownSettings') }} as dropdown_settings,
    {{ streak_column('tagSettings') }} as tag_settings,
    {{ streak_column('aiSettings') }} as ai_settings,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'pipeline_fields') }}
