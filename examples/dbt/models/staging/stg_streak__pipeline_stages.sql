select
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('key') }} as key,
    {{ streak_column('pipelineName') }} as pipeline_name,
    {{ streak_column('position') }} as position,
    {{ streak_column('name') }} as name,
    {{ streak_column('color') }} as color,
    {{ streak_column('isColorFromTheme') }} as is_color_from_theme,
    {{ streak_column('boxCount') }} as box_count,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'pipeline_stages') }}
