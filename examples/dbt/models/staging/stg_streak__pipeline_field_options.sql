select
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('fieldKey') }} as field_key,
    {{ streak_column('key') }} as key,
    {{ streak_column('pipelineName') }} as pipeline_name,
    {{ streak_column('fieldName') }} as field_name,
    {{ streak_column('label') }} as label,
    {{ streak_column('position') }} as position,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'pipeline_field_options') }}
