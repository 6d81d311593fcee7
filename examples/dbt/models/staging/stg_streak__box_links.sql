select
    {{ streak_column('boxKey') }} as box_key,
    {{ streak_column('linkedBoxKey') }} as linked_box_key,
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'box_links') }}
