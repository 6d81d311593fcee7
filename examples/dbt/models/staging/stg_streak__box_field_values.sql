select
    {{ streak_column('boxKey') }} as box_key,
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('fieldKey') }} as field_key,
    {{ streak_column('fieldName') }} as field_name,
    {{ streak_column('fieldType') }} as field_type,
    {{ streak_column('textValue') }} as text_value,
    {{ streak_column('numberValue') }} as number_value,
    {{ streak_column('booleanValue') }} as boolean_value,
    {{ streak_column('timeValue') }} as time_value,
    {{ streak_column('optionKeys') }} as option_keys,
    {{ streak_column('labels') }} as labels,
    {{ streak_column('rawValue') }} as raw_value,
    {{ streak_column('readAt') }} as read_at,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'box_field_values') }}
