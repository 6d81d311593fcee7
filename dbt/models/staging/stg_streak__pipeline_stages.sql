{{ streak.streak_staging('pipeline_stages', {
    'pipelineKey': 'text',
    'key': 'digits',
    'pipelineName': 'text',
    'position': 'integer',
    'name': 'text',
    'color': 'json',
    'isColorFromTheme': 'boolean',
    'boxCount': 'integer',
    'otherProperties': 'json'
}) }}
