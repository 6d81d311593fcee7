{{ streak.streak_staging('pipeline_field_options', {
    'pipelineKey': 'text',
    'fieldKey': 'digits',
    'key': 'digits',
    'pipelineName': 'text',
    'fieldName': 'text',
    'label': 'text',
    'position': 'integer',
    'otherProperties': 'json'
}) }}
