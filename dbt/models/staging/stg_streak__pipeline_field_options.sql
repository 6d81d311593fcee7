{{ streak.streak_staging('pipeline_field_options', {
    'pipelineKey': 'text',
    'fieldKey': 'text',
    'key': 'text',
    'pipelineName': 'text',
    'fieldName': 'text',
    'label': 'text',
    'position': 'integer',
    'otherProperties': 'json'
}) }}
