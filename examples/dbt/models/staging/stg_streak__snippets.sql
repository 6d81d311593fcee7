select
    {{ streak_column('key') }} as key,
    {{ streak_column('snippetKey') }} as snippet_key,
    {{ streak_column('userKey') }} as user_key,
    {{ streak_column('creationDate') }} as creation_date,
    {{ streak_column('lastSavedTimestamp') }} as last_saved_timestamp,
    {{ streak_column('partOfPipeline') }} as part_of_pipeline,
    {{ streak_column('pipelineKey') }} as pipeline_key,
    {{ streak_column('snippetName') }} as snippet_name,
    {{ streak_column('snippetText') }} as snippet_text,
    {{ streak_column('snippetType') }} as snippet_type,
    {{ streak_column('snippetKeyShortcut') }} as snippet_key_shortcut,
    {{ streak_column('subject') }} as subject,
    {{ streak_column('otherProperties') }} as other_properties
from {{ source('streak', 'snippets') }}
